"""Progress and the words for failures."""

from __future__ import annotations

import pytest

from LightMedSegLib.mrml.job_state import Job, Progress, describe_failure


def test_running_out_of_memory_is_told_with_what_to_do() -> None:
    out_of_memory = type("OutOfMemoryError", (RuntimeError,), {})
    for error in (out_of_memory("CUDA out of memory."), RuntimeError("CUDA out of memory. Tried to allocate")):
        assert describe_failure(error).startswith("The graphics card ran out of memory; choose the CPU")
    assert describe_failure(MemoryError()).startswith("The computer ran out of memory; choose a smaller region")


def test_progress_tells_what_is_done_and_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("LightMedSegLib.mrml.job_state.time.monotonic", lambda: now[0])
    job = Job(iter(()), lambda context: None, lambda value, final: None)
    assert job.progress == Progress(0, 0, "Reading the volume", 0.0, None)
    assert job.progress.fraction == 0
    job.set_progress(0, 100, "Preparing")
    now[0] += 0.5
    job.set_progress(10, 100, "Segmenting")
    assert job.progress.remaining is None, "too early for an estimate"
    now[0] += 4.5
    job.set_progress(25, 100, "Segmenting")
    assert job.progress == Progress(25, 100, "Segmenting", 5.0, 15.0)
    assert job.progress.fraction == 0.25
    job.set_progress(0, 100, "Preparing")
    now[0] += 2.0
    job.set_progress(50, 100, "Segmenting")
    assert job.progress == Progress(50, 100, "Segmenting", 7.0, 2.0), "the second pass has its own pace"
