"""Progress and the words for failures."""

from __future__ import annotations

import pytest

from LightMedSegLib.mrml.jobs.job_state import Job, Progress, describe_failure


def test_running_out_of_memory_is_told_with_what_to_do() -> None:
    out_of_memory = type("OutOfMemoryError", (RuntimeError,), {})
    for error in (
        out_of_memory("CUDA out of memory."),
        RuntimeError("CUDA out of memory. Tried to allocate"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ):
        assert describe_failure(error).startswith("The graphics card ran out of memory; choose the CPU")
    said = ("can't allocate memory: you tried to allocate 8 bytes", "not enough memory: you tried to allocate 8 bytes")
    allocator = [RuntimeError(f"[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: {one}") for one in said]
    for error in (MemoryError(), *allocator):
        assert describe_failure(error).startswith("The computer ran out of memory; choose a smaller region")


def test_a_defect_is_not_said_to_be_one_of_segmenting() -> None:
    """Cases, surfaces and strokes are jobs too."""
    assert describe_failure(KeyError("lost")) == (
        "An unexpected problem stopped the task (KeyError: 'lost'); the log has the details."
    )


def test_progress_tells_what_is_done_and_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("LightMedSegLib.mrml.jobs.job_state.time.monotonic", lambda: now[0])
    job = Job(iter(()), lambda context: None, lambda value, final: None)
    assert job.progress == Progress(0, 0, "Reading the volume", 0.0, None)
    assert job.progress.fraction == 0
    job.set_progress(0, 100, "Preparing")
    now[0] += 0.5
    job.set_progress(10, 100, "Segmenting")
    now[0] += 4.0
    job.set_progress(12, 100, "Segmenting")
    assert job.progress.remaining is None, "two percent tell too little"
    now[0] += 4.0
    job.set_progress(30, 100, "Segmenting")
    progress = job.progress
    assert (progress.done, progress.elapsed, progress.fraction) == (30, 8.5, 0.3)
    assert progress.remaining == pytest.approx(70 * 8 / 20 * 1.21)
    now[0] += 4.0
    job.set_progress(32, 100, "Segmenting")
    assert job.progress.remaining == progress.remaining, "it takes longer, but that is not told"
