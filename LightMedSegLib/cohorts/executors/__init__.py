"""Where the scans of a cohort are segmented: in this process, in several, or by the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from LightMedSegLib.cohorts.report import ScanReport
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.progress import CancelToken, ProgressCallback


class Executor(Protocol):
    """Segments the scans of a cohort. where: a few words for the user, as in "on cpu"."""

    @property
    def where(self) -> str:
        """Where the scans are segmented."""

    def run(self, tasks: Sequence[ScanTask], progress: ProgressCallback, cancel: CancelToken) -> Generator[ScanReport]:
        """Segment the scans and give the report of each as soon as it is known.

        progress is called as progress(done, total, message); a scan counts SCAN_STEPS. Once cancel is set, reports of
        scans that were not finished may be missing; none leaves anything behind. Raises LightMedSegError where no scan
        could be segmented.
        """


SCAN_STEPS = 100
"""Steps of progress for each scan."""
