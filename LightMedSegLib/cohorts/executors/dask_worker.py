"""What a Dask worker does for a cohort."""

from __future__ import annotations

from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.task import ScanTask, segment_scan
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep

_runs: dict[str, CancelToken] = {}
"""What stops each run's scans in this process."""


def work(run: str, task: ScanTask) -> ScanReport:
    """Segment one scan of a run, as segment_scan says.

    Also raises OutputError where this computer does not see the folder of results, which would be lost here.
    """
    if not task.output.is_dir():
        raise OutputError(
            f"A Dask worker does not see the folder {task.output}; scans and results must be in folders that all "
            "workers share, under the same names."
        )
    let_waiting_threads_sleep()
    return segment_scan(task, cancel=_token(run))


def stop(run: str) -> None:
    """End the scan of a run that is in work in this process, and begin no other of that run."""
    _token(run).cancel()


def _token(run: str) -> CancelToken:
    return _runs.setdefault(run, CancelToken())
