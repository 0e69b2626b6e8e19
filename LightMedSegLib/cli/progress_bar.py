"""A progress bar on a terminal, and nothing where the output goes to a file."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from LightMedSegLib.core.progress import TimeLeft, TimeLeftEstimate, clock

WIDTH = 30
_REDRAW_SECONDS = 0.1


class ProgressBar:
    """Draws progress(done, total, message) calls on one line of stream; clears the line when closed.

    left: gives the remaining time. hidden: draw nothing.
    """

    def __init__(self, stream: TextIO, left: TimeLeftEstimate | None = None, hidden: bool = False) -> None:
        self._stream = stream
        self._shown = stream.isatty() and not hidden
        self._start = time.monotonic()
        self._left: TimeLeftEstimate = left or TimeLeft()
        self._drawn_at = -_REDRAW_SECONDS
        self._length = 0

    def __call__(self, done: int, total: int, message: str) -> None:
        """Show done of total steps and what is going on."""
        now = time.monotonic()
        self._left.report(done, total, message, now)
        finished = done >= total
        if not self._shown or (now - self._drawn_at < _REDRAW_SECONDS and not finished):
            return
        self._drawn_at = now
        self._draw(progress_line(done, total, message, now - self._start, self._left.seconds))

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._length:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._length))
        self._stream.flush()
        self._length = len(line)


def progress_line(done: int, total: int, message: str, elapsed: float, left: float | None = None) -> str:
    """One line: bar, percentage, elapsed time and, where it is known, time left, message."""
    share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
    filled = round(share * WIDTH)
    remaining = f", {clock(left)} left" if left is not None and share < 1.0 else ""
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}] {share:4.0%} {clock(elapsed)}{remaining}  {message}"
