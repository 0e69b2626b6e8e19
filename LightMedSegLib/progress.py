"""Progress, cancelling and timing of long work, independent of who shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from LightMedSegLib.errors import CancelledError

ProgressCallback = Callable[[int, int, str], None]
"""Called as progress(done, total, message); done and total count the same unit of work."""


class CancelToken:
    """A flag that any thread may set; work in progress looks at it between small steps."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the work to stop at its next check."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """True once cancel() was called."""
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError once cancel() was called."""
        if self._event.is_set():
            raise CancelledError("Cancelled: nothing was written.")


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
