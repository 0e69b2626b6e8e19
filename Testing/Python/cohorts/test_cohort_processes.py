"""Several processes: the labels of one job, no scan is lost with its worker, and cancelling leaves whole files."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from threading import Event, Thread, main_thread

import numpy as np
import pytest
import SimpleITK as sitk
from cohort_tasks import DeadlyTask
from patience import wait_for

from LightMedSegLib.cohorts.executors import Executor
from LightMedSegLib.cohorts.executors.in_process import InProcess
from LightMedSegLib.cohorts.executors.processes import Processes
from LightMedSegLib.cohorts.executors.starting import computed_elsewhere, start_context
from LightMedSegLib.cohorts.memory import largest_first
from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.run import run_cohort
from LightMedSegLib.cohorts.sharing import Share
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.devices import select_device
from LightMedSegLib.core.errors import DeviceError
from LightMedSegLib.core.progress import CancelToken

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

TWO_JOBS = Share(("cpu", "cpu"), threads=1)


def run(
    tasks: Sequence[ScanTask], executor: Executor, cancel: CancelToken | None = None, until: int = 99
) -> list[ScanReport]:
    """Run the cohort, and cancel it as soon as so many scans are reported."""
    token, seen = cancel or CancelToken(), []

    def on_report(report: ScanReport) -> None:
        seen.append(report)
        if len(seen) >= until:
            token.cancel()

    reports = run_cohort(tasks, executor, on_report, lambda *_: None, token)
    assert sorted(one.name for one in seen) == sorted(one.name for one in reports)
    return reports


def labels(task: ScanTask) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(task.path)))


def test_two_jobs_give_the_labels_of_one_and_no_scan_is_lost_with_its_worker(tasks: list[ScanTask]) -> None:
    del tasks[3]
    root = tasks[0].output.parent
    one_job = run(tasks, InProcess("cpu"))
    others = [replace(task, output=root / "others") for task in tasks]
    (root / "others").mkdir()
    others[0] = DeadlyTask.of(others[0], root / "deaths", 1)
    reports = run(others, Processes(TWO_JOBS))
    assert [report.state for report in reports] == ["segmented", "segmented", "failed"]
    assert "c.nii.gz is not a NIfTI file" in reports[2].reason and str(root) not in reports[2].reason
    assert len(list((root / "deaths").iterdir())) == 1
    assert [report.segments for report in reports] == [report.segments for report in one_job]
    for task, other in zip(tasks[:2], others, strict=False):
        np.testing.assert_array_equal(labels(other), labels(task))
    assert active_children() == []


def test_the_largest_scan_is_first_so_that_the_workers_end_together(tasks: list[ScanTask]) -> None:
    for number, task in enumerate(tasks):
        task.scan.images[0].write_bytes(bytes(1000 * (number % 3)))
    assert [task.scan.name for task in largest_first(tasks)] == ["c", "b", "a", "d"]


def test_cancelling_does_not_wait_for_workers_that_are_being_started(
    tasks: list[ScanTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("LightMedSegLib.cohorts.executors.processes.loaded", Event)
    token = CancelToken()
    reports = run_cohort(tasks, Processes(TWO_JOBS), lambda _: None, lambda *_: token.cancel(), token)
    assert {report.state for report in reports} == {"not started"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere workers are new interpreters")
def test_workers_are_copies_of_a_process_that_has_loaded_what_they_need() -> None:
    with ProcessPoolExecutor(1, start_context()) as pool:
        loaded = pool.submit(modules_of_a_worker).result()
    assert {"torch", "LightMedSegLib.inference.engine", "LightMedSegLib.network.cpu.choice"} <= loaded


def test_what_is_raised_in_a_copy_is_raised_here() -> None:
    with pytest.raises(DeviceError, match=r"cuda:77.* is not available"):
        computed_elsewhere(select_device, "cuda:77")


@pytest.fixture
def raised_interrupts() -> Iterator[None]:
    """An interrupt raises KeyboardInterrupt; a shell lets what it starts in the background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is computed in a copy")
def test_what_is_computed_in_a_copy_ends_with_an_interrupt(tmp_path: Path, raised_interrupts: None) -> None:
    def interrupt() -> None:
        wait_for((tmp_path / "begun").exists, what="the beginning of the work")
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)

    Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        computed_elsewhere(never_done, tmp_path)
    assert active_children() == []


def never_done(folder: Path) -> None:
    (folder / "begun").touch()
    wait_for(Event().is_set, what="the end of the process")


def modules_of_a_worker() -> set[str]:
    return set(sys.modules)


@pytest.mark.slow
def test_a_scan_that_no_worker_survives_is_given_up_and_the_others_are_segmented(tasks: list[ScanTask]) -> None:
    deaths = tasks[0].output.parent / "deaths"
    tasks[0] = DeadlyTask.of(tasks[0], deaths, 99)
    reports = run(tasks, Processes(TWO_JOBS))
    assert [report.state for report in reports] == ["failed", "segmented", "failed", "segmented"]
    assert "Its process ended 2 times" in reports[0].reason
    assert len(list(deaths.iterdir())) == 2


@pytest.mark.slow
def test_cancelling_leaves_whole_files_and_no_process_and_the_rest_is_done_the_next_time(
    tasks: list[ScanTask], tmp_path: Path
) -> None:
    del tasks[2:]
    pipe = tmp_path / "scans" / "never.nii.gz"
    os.mkfifo(pipe)
    # A worker that reads for ever is ended, the other one's result stays. Its first file is as large as the others', so
    # that it begins first.
    hanging = replace(tasks[0], scan=replace(tasks[0].scan, name="hanging", images=(*tasks[0].scan.images, pipe)))
    reports = run([hanging, *tasks], Processes(TWO_JOBS), until=1)
    states = {report.name: report.state for report in reports}
    assert states.pop("hanging.nii.gz") == "not started"
    assert set(states.values()) == {"segmented", "not started"}
    assert active_children() == []
    done = [task for task in tasks if states[task.name] == "segmented"]
    assert [task.is_done for task in tasks] == [task in done for task in tasks]
    again = run(tasks, InProcess("cpu"))
    assert [report.state for report in again] == ["exists already" if t in done else "segmented" for t in tasks]
