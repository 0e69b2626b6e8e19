"""The log file of a cohort: a line for each scan, and one on the progress every 30 seconds."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from LightMedSegLib.cohorts.report import STATES, ScanReport, counted
from LightMedSegLib.cohorts.time_left import CohortTimeLeft
from LightMedSegLib.core.console import one_line, printable
from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.progress import clock
from LightMedSegLib.storage.atomic_files import why_not_written

LINE_SECONDS = 30.0

_STAMP, _STAMP_LENGTH = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "), 20
"""The date and the time with which every line begins."""


class CohortLog:
    """Appends to a log file. It identifies each scan by the name of its result file, and holds nothing else about it.

    A line that cannot be written, because the disk is full, is left out: the scans go on. Used from several threads.
    """

    def __init__(self, path: Path | None, count: int) -> None:
        self._path, self._count = path, count
        self._states: Counter[str] = Counter()
        self._left = CohortTimeLeft()
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """Append one line with the date and the time."""
        if self._path is None:
            return
        stamped = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {printable(one_line(text))}\n"
        with self._lock, contextlib.suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(stamped)

    def report(self, report: ScanReport) -> None:
        """Append what became of a scan."""
        self._states[report.state] += 1
        reason = f": {report.reason}" if report.reason else ""
        seconds = f" in {sum(report.seconds.values()):.1f} s" if report.seconds else ""
        warnings = f", with {len(report.warnings)} warning(s)" if report.warnings else ""
        self.line(f"{report.name}: {report.state}{seconds}{warnings}{reason}")

    def progress(self, done: int, total: int, message: str) -> None:
        """Take a report of progress, for the remaining time."""
        self._left.report(done, total, message, time.monotonic())

    def summary(self) -> str:
        """The states of the scans so far, and the remaining time where it is known."""
        counts = [counted(state, self._states[state]) for state in STATES if self._states[state]]
        done, seconds = self._states.total(), self._left.seconds
        left = "" if seconds is None or done == self._count else f"; {clock(seconds)} left"
        return f"{done} of {self._count} scans: {', '.join(counts) or 'none is done yet'}{left}"


def check_log(path: Path | None) -> None:
    """Raise OutputError for a file that is no log: an error in a name must not add lines to a user's file."""
    if path is None or not path.is_file():
        return
    try:
        with path.open("rb") as file:
            first = file.readline(_STAMP_LENGTH)
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {why_not_written(error, path)}.") from error
    if first and not _STAMP.fullmatch(first):
        raise OutputError(f"{path} exists and is no log of segmented scans; give --log-file another name.")


@contextlib.contextmanager
def cohort_log(path: Path | None, count: int, seconds: float = LINE_SECONDS) -> Iterator[CohortLog]:
    """A log of count scans that writes a summary every so many seconds while the block runs, and one at its end.

    path: the file, to which lines are appended; None for no file. Raises OutputError if it cannot be opened, or as
    check_log does.
    """
    log, ended = CohortLog(path, count), threading.Event()
    check_log(path)
    if path is not None:
        try:
            path.open("a", encoding="utf-8").close()
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {why_not_written(error, path)}.") from error

    def tell() -> None:
        while not ended.wait(seconds):
            log.line(log.summary())

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield log
    finally:
        ended.set()
        thread.join()
        log.line(log.summary())
