"""Several processes: the labels of one job, no scan is lost with its worker, and cancelling leaves whole files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cohort_tasks import DeadlyTask

from LightMedSegLib.cohorts.executors import Executor
from LightMedSegLib.cohorts.executors.in_process import InProcess
from LightMedSegLib.cohorts.executors.processes import Processes
from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.run import run_cohort
from LightMedSegLib.cohorts.sharing import Share
from LightMedSegLib.cohorts.task import ScanTask
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
    hanging = replace(tasks[0], scan=replace(tasks[0].scan, name="hanging", images=(pipe,)))
    # A worker that reads for ever is ended, the other one's result stays.
    reports = run([hanging, *tasks], Processes(TWO_JOBS), until=1)
    states = {report.name: report.state for report in reports}
    assert states.pop("hanging.nii.gz") == "not started"
    assert set(states.values()) == {"segmented", "not started"}
    assert active_children() == []
    done = [task for task in tasks if states[task.name] == "segmented"]
    assert [task.is_done for task in tasks] == [task in done for task in tasks]
    again = run(tasks, InProcess("cpu"))
    assert [report.state for report in again] == ["exists already" if t in done else "segmented" for t in tasks]
