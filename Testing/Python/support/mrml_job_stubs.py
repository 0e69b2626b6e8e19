"""A segment function whose every step the test decides, and the way of a job with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import SimpleITK as sitk
from engine_stubs import make_image, rotation, smooth_noise, stub_card
from patience import Patience

from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.segmentation import Segmentation
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext, JobState
from LightMedSegLib.mrml.jobs.segment_job import segmentation_job
from LightMedSegLib.mrml.jobs.worker import Worker


def base_image(spacing: tuple[float, float, float] = (0.9, 1.2, 1.6), angles: Any = (4, -6, 9)) -> sitk.Image:
    return make_image(smooth_noise((20, 23, 26)), spacing, (-30, 20, 5), rotation(angles))


class StubSegment:
    """A segment function whose every step the test decides."""

    def __init__(self, labels: int = 1):
        self.card = stub_card()
        self.started, self.go = threading.Event(), threading.Event()
        self.labels = labels
        self.calls: list[SegmentOptions] = []
        self.threads: list[int] = []
        self.error: BaseException | None = None

    def __call__(self, image: Any, model: Any, options: SegmentOptions, progress: Any, cancel: Any) -> Segmentation:
        self.calls.append(options)
        self.threads.append(threading.get_ident())
        progress(1, 4, "Segmenting")
        self.started.set()
        patience = Patience(20, "the test to go on")
        while not self.go.wait(0.001):
            cancel.raise_if_cancelled()
            patience.check()
        if self.error is not None:
            raise self.error
        return self.answer(image)

    def answer(self, image: Any) -> Segmentation:
        labelmap = sitk.Cast(image * 0 + self.labels, sitk.sitkUInt8)
        return Segmentation(labelmap, self.card, {"network": 1.0}, "cpu", ["CUDA ran out of memory; the CPU was used."])


class PreviewSegment(StubSegment):
    """A segment function that gives a preview at once; the preview is label 1, the result label 2."""

    def __call__(self, image: Any, model: Any, options: SegmentOptions, progress: Any, cancel: Any) -> Segmentation:
        self.labels = 2 if options.preview_spacing is None else 1
        if options.preview_spacing is not None:
            self.calls.append(options)
            return self.answer(image)
        return super().__call__(image, model, options, progress, cancel)


def begin(worker: Worker, volume: Any, stub: Any, **how: Any) -> Job:
    """A job that has come as far as the network."""
    job = segmentation_job(volume, "some-model", segment=stub, **how)
    stub.started.clear()
    worker.submit(job)
    poll_until(worker, lambda: stub.started.is_set() or job.state.ended)
    assert job.state is JobState.RUNNING, job.message
    return job


def poll_until(worker: Worker, condition: Callable[[], bool]) -> None:
    patience = Patience(20)
    while not condition():
        patience.check()
        worker.poll()
        time.sleep(0.001)


def finish(worker: Worker, stub: StubSegment, job: Job) -> Job:
    stub.go.set()
    worker.wait(job, on_idle=Patience(20).check)
    return job


def until_cancelled(context: JobContext) -> None:
    while True:
        context.cancel.raise_if_cancelled()
        time.sleep(0.001)
