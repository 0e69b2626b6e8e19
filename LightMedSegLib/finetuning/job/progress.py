"""How far a job is, as its events tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from LightMedSegLib.core.progress import ProgressCallback

Curve = list[tuple[float, float]]
"""Points (training steps done in the whole job, value)."""


@dataclass
class JobProgress:
    """Filled by :meth:`take`, event after event.

    phase: "starting", "comparing" (the parent on what will be held out), "training", "testing" or "ended". part: the
    present training of parts, of which the last learns from everything. before: Dice of the parent on what is held
    out, None while unknown. dice: of the version in training on what is held out from it. verdict: the last event.
    """

    phase: str = "starting"
    part: int = 0
    parts: int = 0
    step: int = 0
    steps: int = 0
    before: float | None = None
    loss: Curve = field(default_factory=list)
    dice: Curve = field(default_factory=list)
    verdict: dict[str, Any] | None = None
    failure: str = ""
    cancelled: bool = False
    _began: float = 0.0
    _first: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        self._began = time.monotonic()

    @property
    def done(self) -> int:
        """Training steps done, those of an earlier start included."""
        return max(0, self.part - 1) * self.steps + self.step

    @property
    def total(self) -> int:
        """Training steps of the whole job; 0 while unknown."""
        return self.parts * self.steps

    @property
    def elapsed(self) -> float:
        """Seconds since the job was started."""
        return time.monotonic() - self._began

    @property
    def remaining(self) -> float | None:
        """Seconds that the training steps left will take at the pace so far; None while unknown."""
        if self._first is None or self.done <= self._first[0]:
            return None
        pace = (time.monotonic() - self._first[1]) / (self.done - self._first[0])
        return pace * (self.total - self.done)

    def take(self, event: Mapping[str, Any]) -> None:
        """Learn from one event of :mod:`LightMedSegLib.finetuning.__main__`."""
        kind = event.get("event")
        if kind == "start":
            self.phase, self.parts, self.steps = "comparing", int(event["parts"]), int(event["steps"])
        elif kind == "baseline":
            self.phase, self.before = "training", event["held_out"]["before"]
        elif kind == "step":
            self._take_step(event)
        elif kind == "dice":
            self.dice.append((self.done, float(event["held_out"])))
        elif kind == "part":
            self.part, self.step = int(event["part"]), self.steps
            if event["held_out"]["after"] is not None:
                self.dice.append((self.done, float(event["held_out"]["after"])))
        elif kind == "testing":
            self.phase = "testing"
        elif kind == "verdict":
            self.phase, self.verdict = "ended", dict(event)
        elif kind == "cancelled":
            self.phase, self.cancelled = "ended", True
        elif kind == "failed":
            self.phase, self.failure = "ended", str(event["message"])

    def _take_step(self, event: Mapping[str, Any]) -> None:
        self.part, self.step = int(event["part"]), int(event["step"])
        self.loss.append((self.done, float(event["loss"])))
        if self._first is None:
            self._first = (self.done, time.monotonic())


def steps_shown(progress: ProgressCallback) -> Callable[[Mapping[str, Any]], None]:
    """A receiver of a job's events that calls progress(steps done, steps of the whole job, message)."""
    state = JobProgress()

    def take(event: Mapping[str, Any]) -> None:
        state.take(event)
        if event["event"] == "step":
            message = f"training {state.part} of {state.parts}, loss {event['loss']:.3f}"
            progress(state.done, state.total, message)

    return take
