"""One scan after the other in this process."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from LightMedSegLib.cohorts.executors import SCAN_STEPS
from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.task import ScanTask, segment_scan
from LightMedSegLib.core.progress import CancelToken, ProgressCallback


class InProcess:
    """Segments one scan after the other in this process, on a device called device."""

    def __init__(self, device: str) -> None:
        self.where = f"on {device}"

    def run(self, tasks: Sequence[ScanTask], progress: ProgressCallback, cancel: CancelToken) -> Generator[ScanReport]:
        """As Executor.run says; progress also tells the steps within each scan."""
        for index, task in enumerate(tasks):
            yield segment_scan(task, _within(progress, index, len(tasks)), cancel)


def _within(progress: ProgressCallback, index: int, count: int) -> ProgressCallback:
    """Maps the progress of one scan to that of all."""

    def report(done: int, total: int, message: str) -> None:
        steps = SCAN_STEPS * index + SCAN_STEPS * done // max(1, total)
        progress(steps, SCAN_STEPS * count, f"Scan {index + 1} of {count}: {message}")

    return report
