"""The learning rate over a run."""

from __future__ import annotations

import math

from LightMedSegLib.training.configuration import OptimizerSection


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
