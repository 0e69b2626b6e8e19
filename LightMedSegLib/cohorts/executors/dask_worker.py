"""What a Dask worker does for a cohort."""

from __future__ import annotations

from dataclasses import asdict, replace

from LightMedSegLib.cohorts.report import SEGMENTED, ScanReport
from LightMedSegLib.cohorts.task import ScanTask, segment_scan
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep
from LightMedSegLib.storage.atomic_files import temporary_names_with

_runs: dict[str, CancelToken] = {}
"""What stops each run's scans in this process."""


def work(run: str, mark: str, task: ScanTask) -> ScanReport:
    """Segment one scan of a run, as segment_scan says; its temporary files carry the mark.

    Also raises OutputError where this computer does not see the folder of results, which would be lost here.
    """
    if not task.output.is_dir():
        raise OutputError(
            f"A Dask worker does not see the folder {task.output}; scans and results must be in folders that all "
            "workers share, under the same names."
        )
    let_waiting_threads_sleep()
    with temporary_names_with(mark):
        report = segment_scan(task, cancel=_token(run))
    if report.state == SEGMENTED:
        # The scheduler keeps it: if this process ends before its report is fetched, Dask starts the task again, which
        # then only finds that the result exists. Dask's pages show events, so the scan has no name there.
        from distributed import get_worker

        worker = get_worker()
        worker.log_event(topic(run), [worker.get_current_task(), asdict(replace(report, name=""))])
    return report


def topic(run: str) -> str:
    """The name of the events with the reports of a run."""
    return f"lightmedseg-{run}"


async def stop(run: str) -> None:
    """End the scan of a run that is in work in this process, and begin no other of that run.

    A coroutine: Dask waits for the answer to any other function.
    """
    _token(run).cancel()


def _token(run: str) -> CancelToken:
    return _runs.setdefault(run, CancelToken())
