"""Steps, intervals and averaging of a run that has so many minutes, from the time of a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_STEPS = 30_000
FEW_STEPS = 500
"""A run of fewer steps may not have learnt what it can."""

_TRAINED_SHARE = 0.85
"""Of the time; the rest is for validations and checkpoints."""

_FASTER = 1.5
"""How many times as fast as the measured step one may be in the run: compiled, or on a computer that was busy then."""

_VALIDATED_SHARE = 0.1
_MOST_VALIDATIONS = 15
_LOG_SECONDS = 15.0
_CHECKPOINT_SECONDS = 120.0
_FORWARD_SHARE = 1 / 3
"""Of the time of a training step: the network without its gradient."""


@dataclass(frozen=True)
class Schedule:
    """The planned items of the sections [optimizer], [averaging] and [run].

    expected_steps: those that the time allows at the measured pace. optimizer has more, because the time is to end the
    run.
    """

    expected_steps: int
    optimizer: dict[str, Any]
    averaging: dict[str, Any]
    run: dict[str, Any]


def plan_schedule(minutes: float, step_seconds: float, batch: int, validation_windows: float) -> Schedule:
    """Return the schedule. validation_windows: of the sliding window in all validation cases together."""
    steps = max(1, min(MOST_STEPS, int(_TRAINED_SHARE * 60 * minutes / step_seconds)))
    most = max(1, min(MOST_STEPS, math.ceil(_FASTER * 60 * minutes / step_seconds)))
    validation = max(1e-9, validation_windows * step_seconds * _FORWARD_SHARE / batch)
    validations = max(1, min(_MOST_VALIDATIONS, int(_VALIDATED_SHARE * steps * step_seconds / validation)))
    horizon = min(1000.0, max(10.0, steps / 12))
    return Schedule(
        steps,
        {
            "steps": most,
            "batch": batch,
            "budget_seconds": round(60.0 * minutes, 1),
            "warmup_steps": max(1, min(200, steps // 20)),
        },
        {"decay": round(1 - 1 / horizon, 4)},
        {
            "log_interval": _every(_LOG_SECONDS, step_seconds, 100),
            "validation_interval": max(1, math.ceil(steps / validations)),
            "checkpoint_interval": _every(_CHECKPOINT_SECONDS, step_seconds, 2000),
        },
    )


def windows_of(size_mm: Sequence[float], spacing: Sequence[float], patch: Sequence[int], overlap: float) -> int:
    """Return the number of windows in a volume; sizes along x, y, z, patch along z, y, x."""
    counts = [
        1 + max(0, math.ceil((length / step - side) / (side * (1 - overlap))))
        for length, step, side in zip(size_mm, spacing, reversed(patch), strict=True)
    ]
    return math.prod(counts)


def _every(seconds: float, step_seconds: float, most: int) -> int:
    return max(1, min(most, round(seconds / step_seconds)))
