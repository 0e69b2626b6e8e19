"""A torch that raises, a graphics card without memory or lost, a worker thread that dies: through the bridge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from engine_stubs import make_image, smooth_noise, stub_model
from mrml_nodes import add_volume, new_scene, segmentation_count
from patience import Patience

from LightMedSegLib.core.devices import Device
from LightMedSegLib.inference import engine
from LightMedSegLib.inference.loaded_networks import LoadedNetworks
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.sliding_window import predictor
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.segment_job import segmentation_job
from LightMedSegLib.mrml.jobs.worker import Worker
from Reliability.household import Supplies
from Reliability.tally import Tally

PASSES = (1, 2, 5)
"""Passes of the network at which it fails: the first, and some in the middle of a run."""

TORCH_ERRORS: tuple[Callable[[], BaseException], ...] = (
    lambda: RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    lambda: RuntimeError("could not create a primitive"),
    lambda: MemoryError(),
    lambda: ValueError("an internal defect"),
    lambda: OSError(5, "Input/output error"),
    lambda: ImportError("libtorch_cpu.so: cannot open shared object file"),
    lambda: NotImplementedError("Could not run 'aten::conv3d'"),
)

CARD_ERRORS: tuple[tuple[str, Callable[[], BaseException]], ...] = (
    ("out of memory", lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")),
    ("lost", lambda: RuntimeError("CUDA error: unspecified launch failure")),
    ("lost", lambda: RuntimeError("CUDA error: device-side assert triggered")),
    ("lost", lambda: RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")),
    ("lost", lambda: RuntimeError("CUDA driver error: GPU is lost")),
)


def torch_raises(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """The run fails in words, the scene is as before, and the next run works."""
    tally = Tally()
    for at in PASSES if count else PASSES[1:2]:
        for make in TORCH_ERRORS:
            with _bench() as bench, mock.patch.object(predictor.Predictor, "__call__", _failing_at(at, make)):
                job = bench.run("cpu")
                what = f"torch raises {type(make()).__name__}"
                tally.expect(job.state is JobState.FAILED and _is_sentence(job.message), f"{what}: told in words")
                tally.expect(segmentation_count(bench.scene) == 0, f"{what}: the scene is as before")
            with _bench() as bench:
                tally.expect(bench.run("cpu").state is JobState.DONE, f"{what}: the next run works")
    return tally


def graphics_card_fails(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """The processor does the work instead, the result is the same, the user is told, and the next run works."""
    tally = Tally()
    with _bench() as bench:
        expected = bench.labels(bench.run("cpu"))
    for at in PASSES if count else PASSES[1:2]:
        for kind, make in CARD_ERRORS:
            with _bench() as bench, _pretended_card(_failing_at(at, make, only_on="cuda")):
                job = bench.run("auto")
                what = f"card {kind}"
                done = job.state is JobState.DONE
                tally.expect(done, f"{what}: the run is done", f"{make()}: {job.message}")
                if not done:
                    continue
                tally.expect(np.array_equal(bench.labels(job), expected), f"{what}: the result is the same")
                tally.expect(job.outcome.device == "cpu" and bool(job.outcome.notes), f"{what}: the user is told")
                tally.expect(bench.run("auto").state is JobState.DONE, f"{what}: the next run works")
    return tally


def worker_thread_dies(folder: Path, supplies: Supplies, count: int, seed: int) -> Tally:
    """An error that ends the thread itself: said in words, and the next run gets a new thread."""
    tally = Tally()
    for error in (SystemExit(1), KeyboardInterrupt(), GeneratorExit()):
        with _bench() as bench:

            def dies(*arguments: Any, error: BaseException = error, **settings: Any) -> None:
                raise error

            job = bench.run("cpu", segment=dies)
            tally.expect(job.state is JobState.FAILED and _is_sentence(job.message), "thread dies: told in words")
            tally.expect(segmentation_count(bench.scene) == 0, "thread dies: the scene is as before")
            tally.expect(bench.run("cpu").state is JobState.DONE, "thread dies: the next run works")
    return tally


class _Bench:
    def __init__(self) -> None:
        self.scene = new_scene()
        self.volume = add_volume(self.scene, make_image(smooth_noise((24, 24, 24))))
        self.worker = Worker()
        self.model = stub_model(patch=[16, 16, 16], spacing_mm=[1.0, 1.0, 1.0])

    def run(self, device: str, segment: Any = None) -> Job:
        job = segmentation_job(self.volume, self.model, options=SegmentOptions(device=device), segment=segment)
        self.worker.submit(job)
        self.worker.wait(job, on_idle=Patience(60).check)
        return job

    @staticmethod
    def labels(job: Job) -> np.ndarray:
        from mrml_nodes import labels_of

        return labels_of(job.outcome.node).copy()


@contextmanager
def _bench() -> Iterator[_Bench]:
    import logging
    import threading

    bench = _Bench()
    logger, hook = logging.getLogger("LightMedSeg"), threading.excepthook
    logger.disabled, threading.excepthook = True, lambda arguments: None
    try:
        yield bench
    finally:
        assert bench.worker.close()
        logger.disabled, threading.excepthook = False, hook


def _is_sentence(text: str) -> bool:
    return bool(text) and "\n" not in text and text.endswith(".")


def _failing_at(at: int, make: Callable[[], BaseException], only_on: str = "") -> Any:
    """A Predictor.__call__ that raises at its at-th pass."""
    real = predictor.Predictor.__call__
    passes = 0

    def call(self: Any, batch: np.ndarray) -> torch.Tensor:
        nonlocal passes
        passes += 1
        if passes >= at and getattr(self, "claimed", "").startswith(only_on):
            raise make()
        return real(self, batch)

    return call


@contextmanager
def _pretended_card(call: Any) -> Iterator[None]:
    """A make-believe CUDA device whose network runs on the processor in truth."""
    real = predictor.Predictor.__init__

    def begin(self: Any, network: Any, device: str, *options: Any) -> None:
        real(self, network, "cpu", *options)
        self.claimed = device
        self.batch = 1

    with (
        mock.patch.object(predictor.Predictor, "__init__", begin),
        mock.patch.object(predictor.Predictor, "__call__", call),
        mock.patch.object(engine, "select_device", lambda name: Device("cuda:0", "make-believe")),
        mock.patch.object(LoadedNetworks, "on", lambda self, device: self._model.build_network("cpu")),
        mock.patch.object(torch.cuda, "empty_cache", _lost),
    ):
        yield


def _lost() -> None:
    raise RuntimeError("CUDA error: unspecified launch failure")
