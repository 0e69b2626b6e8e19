"""A worker process of a cohort: it segments one scan after the other for the process that started it."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path

from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.task import ScanTask, segment_scan
from LightMedSegLib.core.child_process import watched
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep
from LightMedSegLib.storage.atomic_files import mark_temporary_names


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker begins.

    stop_file: the scan in work is cancelled when it appears. mark: of the worker's temporary files. threads: for
    reading, resampling and writing; the network's are in the options of each task.
    """

    stop_file: Path
    mark: str
    threads: int


_cancel = CancelToken()
_until_the_end = contextlib.ExitStack()


def begin(settings: WorkerSettings) -> None:
    """Prepare this process. Ctrl+C in the terminal reaches it too: the starting process decides what happens then."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    let_waiting_threads_sleep()
    mark_temporary_names(settings.mark)
    _until_the_end.enter_context(watched(_cancel, settings.stop_file))
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(settings.threads)


def work(task: ScanTask) -> ScanReport:
    """Segment one scan, as segment_scan says."""
    return segment_scan(task, cancel=_cancel)
