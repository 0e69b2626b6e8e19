"""Progress, cancellation and timing of long work, independent of the user interface."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from LightMedSegLib.core.errors import CancelledError

ProgressCallback = Callable[[int, int, str], None]
"""Called as progress(done, total, message); done and total count the same unit of work."""


def part_of(progress: ProgressCallback, first: float, last: float, prefix: str = "") -> ProgressCallback:
    """Return a callback that maps the progress of a part of the work to first .. last (0 to 1) of progress."""

    def whole(done: int, total: int, message: str) -> None:
        share = done / total if total > 0 else 0.0
        progress(round(100 * (first + (last - first) * share)), 100, prefix + message)

    return whole


def clock(seconds: float) -> str:
    """Minutes and seconds, 1:05, or hours, minutes and seconds, 2:01:05."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class CancelToken:
    """A flag that any thread may set; running work checks it between small steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether cancel() was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError if cancel() was called."""
        if self._event.is_set():
            raise CancelledError("Cancelled: nothing was written.")


class TimeLeftEstimate(Protocol):
    """What estimates the remaining time of running work from its reports of progress."""

    def report(self, done: int, total: int, message: str, now: float) -> None:
        """Take a report of progress; now is a time in seconds, rising from call to call."""

    @property
    def seconds(self) -> float | None:
        """The estimate; None while there is none."""


class TimeLeft:
    """The remaining time of running work, estimated from its progress; the estimate never rises.

    The pace is measured within the present stage, so that loading a library at the start does not count for the rest.
    """

    LEAST_SHARE, LEAST_SECONDS = 0.05, 1.0
    """Share of the whole work, and seconds, after which the pace of a stage is used."""

    CAUTION = 0.3
    """The first estimate is increased by this share, because an estimate cannot be raised later."""

    FAR_OFF = 2.0
    """The estimate is withdrawn once a new one is this many times the last one."""

    def __init__(self) -> None:
        self._stage, self._share = "", 0.0
        self._reference: tuple[float, float] | None = None
        self._told: float | None = None
        self._silent = False

    def report(self, done: int, total: int, message: str, now: float) -> None:
        """Take a report of progress; now is a time in seconds, rising from call to call."""
        share = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        # "Segmenting, window 2 of 8" and "Scan 3 of 9: Cleaning up": the same stage as the one before.
        stage = "".join(character for character in message.partition(":")[0] if not character.isdigit())
        if self._reference is None or stage != self._stage or share < self._share:
            self._stage, self._reference = stage, (share, now)
        elif share > self._share:
            self._estimate(share, now, *self._reference)
        self._share = share

    def _estimate(self, share: float, now: float, first_share: float, first: float) -> None:
        gained, spent = share - first_share, now - first
        if gained < self.LEAST_SHARE or spent < self.LEAST_SECONDS:
            return
        left = (1 - share) * spent / gained * (1 + self.CAUTION * (1 - share))
        self._silent = self._told is not None and left > self.FAR_OFF * max(self._told, 1.0)
        self._told = left if self._told is None else min(self._told, left)

    @property
    def seconds(self) -> float | None:
        """Return the estimate; None while there is none, and if the work takes much longer than estimated."""
        return None if self._silent else self._told


class StageTimer:
    """Seconds spent in each named stage, in the order in which the stages began."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside: list[float] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the wall time of the with-block, without stages inside it, to the stage called name."""
        start = time.perf_counter()
        self._inside.append(0.0)
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed - self._inside.pop()
            if self._inside:
                self._inside[-1] += elapsed

    @property
    def total(self) -> float:
        """Sum of all stages, in seconds."""
        return sum(self.seconds.values())
