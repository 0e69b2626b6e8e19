"""Compilation of a pass of the network with torch.compile; all its files are stored in one folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from LightMedSegLib.network.cuda.recording import Recording

ROUNDED_LIKE_PLAIN: dict[str, str | int | bool | Callable[..., object]] = {"emulate_precision_casts": True}
"""Options of torch.compile: values are rounded to half precision wherever the plain network rounds them.

Without them a fused kernel keeps float32 where another reads the rounded value again. A softmax then takes its maximum
from other logits than its terms; with logits of a thousand the gradient of a deeply supervised level has the wrong
sign, and a training diverges at any learning rate.
"""

CompiledPass = Callable[[Tensor], Tensor]

_WARM_UP = 2


def compile_pass(run: nn.Module, x: Tensor, folder: Path, threads: int = 1) -> CompiledPass:
    """Return run compiled for inputs like x, after two calls that compile it or load it from folder.

    threads: more than one compile in separate processes, which start the running interpreter.
    """
    with _kept_in(folder, threads):
        compiled: CompiledPass = torch.compile(run, dynamic=False, options=ROUNDED_LIKE_PLAIN)
        with torch.inference_mode(), _beside(x):
            for _ in range(_WARM_UP):
                compiled(x)
    return compiled


def recorded(compiled: CompiledPass, x: Tensor) -> Recording:
    """Return a CUDA graph of compiled; call it in the thread that compiled it, because its settings belong to that."""
    with torch.inference_mode(), torch.cuda.device(x.device):
        return Recording(compiled, x, compiled=True)


@contextmanager
def _beside(x: Tensor) -> Iterator[None]:
    """Work on x's device that does not wait for what other threads do there."""
    if not x.is_cuda:
        yield
        return
    stream = torch.cuda.Stream(x.device)
    stream.wait_stream(torch.cuda.current_stream(x.device))
    with torch.cuda.device(x.device), torch.cuda.stream(stream):
        yield
    stream.synchronize()


@contextmanager
def _kept_in(folder: Path, threads: int) -> Iterator[None]:
    values = {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TORCHINDUCTOR_COMPILE_THREADS": str(threads),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        from torch._inductor import config

        # The variable is read once, when torch's compiler is imported.
        with config.patch(compile_threads=threads):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
