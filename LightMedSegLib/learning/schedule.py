"""The learning rate over a run."""

from __future__ import annotations

import math

from LightMedSegLib.learning.configuration import OptimizerSection


def run_progress(settings: OptimizerSection, step: int, seconds: float) -> float:
    """How much of the run is done, 0 to 1: by steps, or by time where a time budget ends it earlier."""
    by_steps = step / settings.steps
    by_time = seconds / settings.budget_seconds if settings.budget_seconds > 0 else 0.0
    return min(1.0, max(by_steps, by_time))


def learning_rate(settings: OptimizerSection, step: int, progress: float) -> float:
    """Learning rate at step (counted from 0): linear warm-up times a cosine or polynomial decline."""
    warmup = min(1.0, (step + 1) / settings.warmup_steps) if settings.warmup_steps > 0 else 1.0
    if settings.schedule == "cosine":
        decline = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        decline = (1 - progress) ** settings.polynomial_power
    span = settings.learning_rate - settings.minimum_learning_rate
    return warmup * (settings.minimum_learning_rate + span * decline)


def remaining_seconds(settings: OptimizerSection, step: int, seconds: float, seconds_per_step: float) -> float:
    """How long the rest of the run takes at the given pace, the time budget included."""
    by_steps = (settings.steps - step) * seconds_per_step
    return max(0.0, min(by_steps, settings.budget_seconds - seconds) if settings.budget_seconds > 0 else by_steps)


def spoken_duration(seconds: float) -> str:
    """Seconds as a person says them: 45 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
