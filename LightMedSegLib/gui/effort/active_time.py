"""Adds up the time in which somebody works."""

from __future__ import annotations

from collections.abc import Hashable

IDLE_SECONDS = 30.0
"""So long after the last sign of work, the time counts: looking at a slice needs no mouse."""

LONGEST_STEP = 5.0
"""More than this between two looks, and the computer slept, or Slicer was busy."""


class ActiveTime:
    """A clock that is looked at about once a second. seconds: what it begins with."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._looked: float | None = None
        self._signs: Hashable = None
        self._active = 0.0

    def look(self, now: float, signs: Hashable, present: bool) -> None:
        """Count the time since the last look, if the user is present and has worked of late.

        now: seconds of any clock. signs: whatever changes while somebody works. present: whether it is work on this.
        """
        if signs != self._signs:
            self._signs, self._active = signs, now
        step = now - self._looked if self._looked is not None else 0.0
        self._looked = now if present else None
        if present and step <= LONGEST_STEP and now - self._active < IDLE_SECONDS:
            self.seconds += step
