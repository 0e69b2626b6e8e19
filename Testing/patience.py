"""How long a test waits before it calls a standstill a hang: longer where the computer is slow or busy.

Nothing is measured while things come in time. Only when a limit is reached is the computer's speed measured, and the
limit stretched by it; so a limit states what a quiet desktop computer needs many times over.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_ROUNDS = 500_000
_QUIET_SECONDS = 0.03
"""What that many rounds take on a quiet desktop computer."""


def slowdown() -> float:
    """How many times slower than a quiet desktop computer this one is now; at least 1."""
    start = time.perf_counter()
    total = 0
    for number in range(_ROUNDS):
        total += number * number % 7
    measured = (time.perf_counter() - start) / _QUIET_SECONDS
    # A load of the last minute that has just ended is not measured any more, but it has cost time. Threads that wait
    # for each other suffer from others' work more than one thread that counts: the load is not divided by the cores.
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 1.0
    return max(1.0, measured, load)


def limit(seconds: float) -> float:
    """A limit for a call that cannot be asked again: seconds of a quiet computer, as they are on this one now."""
    return seconds * slowdown()


class Patience:
    """Time for one thing to come: seconds of a quiet computer, stretched by the slowest that was seen meanwhile."""

    def __init__(self, seconds: float, what: str = "the condition") -> None:
        self.seconds, self.what = seconds, what
        self._start, self._limit = time.monotonic(), seconds

    def over(self) -> bool:
        """Whether the time is up."""
        waited = time.monotonic() - self._start
        if waited > self._limit:
            self._limit = max(self._limit, limit(self.seconds))
        return waited > self._limit

    def check(self) -> None:
        """Raises AssertionError when the time is up."""
        if self.over():
            waited = time.monotonic() - self._start
            raise AssertionError(
                f"Waited {waited:.1f} s in vain for {self.what} ({self.seconds:g} s if it were quiet)."
            )


def wait_for(condition: Callable[[], object], seconds: float = 60.0, what: str = "the condition") -> None:
    """Look every few milliseconds until the condition holds. Raises AssertionError if it does not in time."""
    patience = Patience(seconds, what)
    while not condition():
        patience.check()
        time.sleep(0.005)
