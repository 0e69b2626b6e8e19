"""A Dask cluster: the labels of one job, cancelling, and one sentence for what no worker can do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from LightMedSegLib.cohorts.executors.dask import DaskCluster
from LightMedSegLib.cohorts.executors.dask_worker import work
from LightMedSegLib.cohorts.executors.in_process import InProcess
from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.run import run_cohort
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.errors import DependencyError, InputImageError, ModelPackageError, OutputError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.storage.atomic_files import temporary_name, temporary_names_with


@pytest.fixture(scope="module", autouse=True)
def distributed() -> Any:
    """The package, which takes seconds to import, also in a process that only collects these tests."""
    return pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster(distributed: Any) -> Iterator[Any]:
    """Two workers, threads of this process."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def run(tasks: list[ScanTask], executor: Any, until: int = 99) -> list[ScanReport]:
    token, seen = CancelToken(), []

    def on_report(report: ScanReport) -> None:
        seen.append(report)
        if len(seen) >= until:
            token.cancel()

    return run_cohort(tasks, executor, on_report, lambda *_: None, token)


def test_two_workers_give_the_labels_of_one_job(cluster: Any, tasks: list[ScanTask]) -> None:
    others = [replace(task, output=task.output.parent / "others") for task in tasks]
    (tasks[0].output.parent / "others").mkdir()
    one_job, reports = run(tasks, InProcess("cpu")), run(others, DaskCluster(cluster.scheduler_address))
    assert [report.state for report in reports] == ["segmented", "segmented", "failed", "segmented"]
    assert [report.segments for report in reports] == [report.segments for report in one_job]
    for task, other in zip(tasks, others, strict=True):
        if task.path.exists():
            found, expected = (sitk.GetArrayFromImage(sitk.ReadImage(str(one.path))) for one in (other, task))
            np.testing.assert_array_equal(found, expected)


def test_a_cancelled_run_leaves_the_cluster_to_the_next_one(cluster: Any, tasks: list[ScanTask]) -> None:
    del tasks[2]
    many = [replace(tasks[0], scan=replace(tasks[0].scan, name=f"scan-{n}")) for n in range(30)]
    states = [report.state for report in run(many, DaskCluster(cluster.scheduler_address), until=1)]
    assert set(states) == {"segmented", "not started"}
    there = [task.path.exists() for task in many]
    assert all(found for found, state in zip(there, states, strict=True) if state == "segmented")
    # Each of the two workers may write the result of its last scan just after the run has ended.
    assert sum(there) <= states.count("segmented") + 2
    assert {report.state for report in run(tasks, DaskCluster(cluster.scheduler_address))} == {"segmented"}


def test_a_report_that_is_lost_with_its_worker_is_found_again(
    cluster: Any, tasks: list[ScanTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask then starts the task a second time, which finds the result of the first."""

    def twice(run: str, mark: str, task: ScanTask) -> ScanReport:
        assert work(run, mark, task).state == "segmented"
        return work(run, mark, task)

    monkeypatch.setattr("LightMedSegLib.cohorts.executors.dask.work", twice)
    (report,) = run(tasks[:1], DaskCluster(cluster.scheduler_address))
    assert (report.name, report.state) == ("a.nii.gz", "segmented")
    assert [one["name"] for one in report.segments] == ["Structure 1", "Structure 2"]


def test_what_a_killed_worker_left_half_written_goes_at_the_end_of_the_run(
    cluster: Any, tasks: list[ScanTask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept, names = tasks[0].output / temporary_name(), tmp_path / "names"

    def dying_first(run: str, mark: str, task: ScanTask) -> ScanReport:
        with temporary_names_with(mark):
            left = task.output / temporary_name(".nii.gz")
        left.touch()
        with names.open("a") as stream:
            stream.write(f"{left}\n")
        return work(run, mark, task)

    monkeypatch.setattr("LightMedSegLib.cohorts.executors.dask.work", dying_first)
    kept.touch()
    assert {report.state for report in run(tasks[:2], DaskCluster(cluster.scheduler_address))} == {"segmented"}
    left = [Path(line) for line in names.read_text().splitlines()]
    assert len(left) == 2 and not any(path.exists() for path in left)
    # A file of another run.
    kept.unlink()


def test_what_no_worker_can_do_is_told_once(cluster: Any, tasks: list[ScanTask], tmp_path: Path) -> None:
    absent = replace(tasks[0], model=replace(tasks[0].model, folder=tmp_path / "nowhere", identifier="no@1.0.0"))
    with pytest.raises(ModelPackageError, match=r"The model no@1\.0\.0 is missing on the computer .*models import"):
        run([absent], DaskCluster(cluster.scheduler_address))
    other = replace(tasks[0], model=replace(tasks[0].model, digest="0" * 64))
    with pytest.raises(ModelPackageError, match="has other content than the one that was asked for"):
        run([other], DaskCluster(cluster.scheduler_address))
    with pytest.raises(OutputError, match="does not see the folder"):
        run([replace(tasks[0], output=tmp_path / "elsewhere")], DaskCluster(cluster.scheduler_address))


def test_a_scheduler_that_does_not_answer_and_a_missing_package_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("LightMedSegLib.cohorts.executors.dask._CONNECT_SECONDS", "100ms")
    for address in ("tcp://127.0.0.1:9", "nothing", "no-such-file.json"):
        with pytest.raises(InputImageError, match=f"No Dask scheduler answers at {address}"):
            DaskCluster(address)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DependencyError, match=r"pip install 'lightmedseg\[cluster\]'"):
        DaskCluster("tcp://127.0.0.1:9")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_no_scan_is_lost_with_a_worker_of_a_cluster(distributed: Any, tasks: list[ScanTask]) -> None:
    del tasks[2]
    deaths = tasks[0].output.parent / "deaths"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster:
        token = CancelToken()

        def on_report(report: ScanReport) -> None:
            """Kill a worker once the first scan is done."""
            if not deaths.exists():
                deaths.mkdir()
                os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        reports = run_cohort(tasks, DaskCluster(cluster.scheduler_address), on_report, lambda *_: None, token)
    assert {report.state for report in reports} == {"segmented"}
