"""The remaining time of a cohort."""

from __future__ import annotations

from LightMedSegLib.cohorts.executors import SCAN_STEPS


class CohortTimeLeft:
    """The remaining time from the mean pace so far; scans of one cohort take similar times."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._done = 0
        self._seconds: float | None = None

    def report(self, done: int, total: int, message: str, now: float) -> None:
        """Take a report of progress, in steps as an executor counts them; now is a time in seconds."""
        if self._first is None:
            self._first = (done, now)
        first, began = self._first
        if done != self._done and done - first >= SCAN_STEPS:
            self._seconds = (total - done) * (now - began) / (done - first)
        self._done = done

    @property
    def seconds(self) -> float | None:
        """The estimate; None until as much as one scan is done."""
        return self._seconds
