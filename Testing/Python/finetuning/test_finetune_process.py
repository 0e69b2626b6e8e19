"""The process that the panel starts, in a real one: it ends when asked, when Slicer ends, and goes on afterwards."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from finetuning_factory import installed_with_cases, quick_job
from forked_job import ForkedJob
from patience import wait_for

from LightMedSegLib.core.child_process import python_program
from LightMedSegLib.finetuning.job.description import LOCK_FILE
from LightMedSegLib.finetuning.job.progress import JobProgress
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.gui.finetune import process as finetune_process
from LightMedSegLib.gui.finetune.process import LocalProcess
from LightMedSegLib.storage.file_lock import LockedError, exclusive

pytestmark = pytest.mark.usefixtures("nothing_shipped")

ENDLESS = FinetuneSettings(steps=100_000, checkpoint_seconds=0.0)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    installed_with_cases(tmp_path)
    folder = tmp_path / "job"
    quick_job(settings=ENDLESS, threads=1).write(folder)
    return folder


def follow(process: LocalProcess, until: Callable[[JobProgress], bool]) -> JobProgress:
    progress = JobProgress()

    def look() -> bool:
        for event in process.events():
            progress.take(event)
        return until(progress)

    wait_for(look)
    return progress


@pytest.mark.slow
def test_ended_by_slicer_it_goes_on_later_and_a_request_to_stop_at_its_start_is_not_lost(job: Path) -> None:
    process = LocalProcess(job)
    # A step is reported before its checkpoint is written.
    first = follow(process, lambda progress: progress.step >= 4)
    process.end()
    wait_for(lambda: not process.running())
    assert (first.parts, first.steps) == (2, 100_000) and first.before is not None
    process = LocalProcess(job)
    second = follow(process, lambda progress: progress.step > 0)
    assert second.loss[0][0] > 2, "it goes on from its checkpoint"
    process.end()
    wait_for(lambda: not process.running())
    # What follows does not depend on how the process was started.
    process = ForkedJob(job)
    process.ask_to_stop()

    def ended() -> bool:
        process.ask_to_stop()
        return not process.running()

    wait_for(ended)
    assert follow(process, lambda progress: progress.phase == "ended").cancelled


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the launcher is a shell script")
def test_behind_a_launcher_that_is_killed_the_job_ends_by_itself(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    process = LocalProcess(job)
    follow(process, lambda progress: progress.step > 0)

    def job_lives() -> bool:
        try:
            with exclusive(job / LOCK_FILE, wait_seconds=0.0):
                return False
        except LockedError:
            return True

    assert job_lives()
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not process.running())
    wait_for(lambda: not job_lives())
    process.end()


def test_half_a_line_waits_for_its_other_half_and_what_is_no_event_is_skipped(
    job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finetune_process, "_PROGRAM", "import sys; sys.stderr.write('last words')")
    process = LocalProcess(job)
    wait_for(lambda: not process.running())
    events = job / finetune_process.EVENTS_FILE
    events.write_text('{"event": "start"}\nsome library prints\n[1]\n{"event": "te')
    assert process.events() == [{"event": "start"}]
    with events.open("a") as stream:
        stream.write('sting"}\n')
    assert process.events() == [{"event": "testing"}] and process.events() == []
    assert process.last_words() == "last words"
    finetune_process.remove_output(job)
    assert not events.exists() and process.last_words() == ""
    process.end()


def test_inside_slicer_its_own_python_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outside = python_program()
    program = tmp_path / "PythonSlicer"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert python_program() == str(program) != outside
