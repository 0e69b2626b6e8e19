"""The ways to run one network on CUDA that the benchmark compares, and what they cost."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from contestants import PEERS
from machine import synchronize
from torch import Tensor, nn

from LightMedSegLib.network import build_network
from LightMedSegLib.network.cuda.network_pass import NetworkPass
from LightMedSegLib.network.cuda.recording import Recording

Run = Callable[[Tensor], Tensor]

LAST = torch.channels_last_3d


@dataclass(frozen=True)
class Form:
    """ours or DynUNet; precision by autocast; last: channels-last memory; recorded: as a CUDA graph."""

    network: str
    precision: str
    last: bool
    recorded: bool

    @property
    def title(self) -> str:
        """In words."""
        layout = "channels-last, " if self.last else ""
        return f"{self.network}, {layout}{'recorded, ' if self.recorded else ''}{self.precision}"


FORMS = (
    Form("lightmedseg", "float32", False, False),
    Form("lightmedseg", "float16", False, False),
    Form("lightmedseg", "float16", False, True),
    Form("lightmedseg", "float16", True, True),
    Form("DynUNet (nnU-Net)", "float32", False, False),
    Form("DynUNet (nnU-Net)", "float16", False, False),
    Form("DynUNet (nnU-Net)", "float16", True, False),
    Form("DynUNet (nnU-Net)", "float16", False, True),
    Form("DynUNet (nnU-Net)", "float16", True, True),
)


def build(name: str, classes: int, edge: int, device: str, last: bool) -> nn.Module:
    """The network with fresh weights on device."""
    torch.manual_seed(0)
    ours = name == "lightmedseg"
    network = (build_network(name, 1, classes) if ours else PEERS[name](1, classes, edge)).eval().to(device)
    return network.to(memory_format=LAST) if last else network  # type: ignore[call-overload]


def prepared(form: Form, x: Tensor) -> Run:
    """What runs form on inputs like x."""
    run: Run = NetworkPass(build(form.network, CLASSES, x.shape[-1], str(x.device), form.last), form.precision)
    return Recording(run, x) if form.recorded else run


def measured(title: str, prepare: Callable[[], Run], x: Tensor, rounds: int) -> dict[str, Any]:
    """A row: median milliseconds and most memory in MB beyond what was in use before prepare."""
    device = str(x.device)
    cuda = x.is_cuda
    before = 0
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(x.device)
        before = torch.cuda.memory_allocated(x.device)
    times = []
    # A pass that could still compute gradients is recorded with other kernels than the engine's.
    with torch.inference_mode():
        run = prepare()
        for turn in range(rounds + 3):
            synchronize(device)
            start = time.perf_counter()
            run(x)
            synchronize(device)
            if turn >= 3:
                times.append(1000 * (time.perf_counter() - start))
    peak = (torch.cuda.max_memory_allocated(x.device) - before) // 2**20 if cuda else ""
    return {"form": title, "ms": round(statistics.median(times), 3), "peak_mb": peak}


CLASSES = 14
