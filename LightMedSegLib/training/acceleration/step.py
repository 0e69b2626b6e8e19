"""The training step on CUDA: a CUDA graph where possible, and compiled where that saves time."""

from __future__ import annotations

import copy
import gc
import importlib.util
import os
import time
from collections.abc import Callable

import torch
from torch import nn

from LightMedSegLib.core.errors import first_line
from LightMedSegLib.learning.batch_source import BatchSource
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.network.cuda.kept import private_task_folder
from LightMedSegLib.training.acceleration.cuda_graph import RecordedStep, record_step, step_sample

PAYS_FROM_SECONDS = 300.0
"""Compiling takes 40 to 150 s and saves a third of a step or more: the shortest run for which that is a gain."""
LEAST_COMPILED_STEPS = 1000
_TIMED_STEPS = 5


def accelerated_step(
    network: nn.Module,
    loss: nn.Module,
    configuration: TrainingConfiguration,
    device: torch.device,
    step: int,
    seconds: float,
    report: Callable[[str], None],
) -> RecordedStep | None:
    """Return the CUDA graph of the step of a run that is at step after seconds; None if capture fails.

    With run.compile "auto" the step is compiled where the rest of the run takes PAYS_FROM_SECONDS or longer.
    """
    run, optimizer = configuration.run, configuration.optimizer
    shape = (optimizer.batch, configuration.in_channels, *configuration.patch)
    bf16 = run.precision == "bf16"
    compiled = run.compile is True
    if run.compile == "auto" and importlib.util.find_spec("triton") is not None:
        left = max(0, optimizer.steps - step)
        budget = optimizer.budget_seconds - seconds if optimizer.budget_seconds > 0 else float("inf")
        if left >= LEAST_COMPILED_STEPS and budget >= PAYS_FROM_SECONDS:
            compiled = min(budget, left * _seconds_per_step(network, loss, shape, bf16, device)) >= PAYS_FROM_SECONDS
    for choice in (True, False) if compiled else (False,):
        if choice:
            report("Compiling the training step, which takes a minute or two.")
        try:
            if choice:
                compile_in_private()
            return record_step(network, loss, shape, bf16, device, choice)
        except Exception as error:  # compilers and networks fail in many ways; the plain step does the same work
            failed = "compiled" if choice else "captured as a CUDA graph"
            report(f"The training step cannot be {failed}: {first_line(error)}")
        _clean_up(device)
    return None


def compile_in_private() -> None:
    """Set a cache folder for torch's compiler that only the user can write, unless TORCHINDUCTOR_CACHE_DIR is set.

    By default the cache is in the system's temporary folder, under a name that anybody can create first, and its
    content is executed. Raises OutputError if others can write into our folder.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(private_task_folder("training") / "inductor"))


def record_batches(source: BatchSource, count: int, report: Callable[[str], None]) -> None:
    """Let source make batches of count cases with a CUDA graph, if it can be captured."""
    try:
        source.record(count)
    except RuntimeError as error:
        report(f"The making of batches cannot be captured as a CUDA graph: {first_line(error)}")


def _seconds_per_step(
    network: nn.Module, loss: nn.Module, shape: tuple[int, ...], bf16: bool, device: torch.device
) -> float:
    """Return the seconds of one step, network and gradient, as a CUDA graph; 0 if capture fails.

    A copy of the network is timed, because a network with gradients cannot be captured again.
    """
    try:
        step = record_step(copy.deepcopy(network), loss, shape, bf16, device)
        sample = step_sample(shape, loss, device)
        torch.cuda.synchronize(device)
        started = time.perf_counter()
        for _ in range(_TIMED_STEPS):
            step(*sample)[0].backward()
        torch.cuda.synchronize(device)
        return (time.perf_counter() - started) / _TIMED_STEPS
    except Exception:
        return 0.0
    finally:
        _clean_up(device)


def _clean_up(device: torch.device) -> None:
    gc.collect()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
