"""What a person may set for a fine-tuning run; the defaults were chosen by measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from LightMedSegLib.core.errors import TrainingDataError


@dataclass(frozen=True)
class FinetuneSettings:
    """Numbers of one fine-tuning run.

    The defaults come from Testing/Benchmarks/finetune_site_shift.py. steps is per training: a job trains once for each
    part that is held out by turns, and once on everything.
    """

    steps: int = 30
    batch: int = 2
    learning_rate: float = 1e-3
    encoder_factor: float = 1.0  # learning rate of the encoder relative to the rest; 0 freezes it
    pull: float = 100.0  # of the weights towards the parent's, as a rate like weight decay
    rehearsal: float = 0.5  # share of the patches that come from the model's reference set
    warmup_steps: int = 5
    averaging: float = 0.9  # decay of the moving average of the weights
    max_parts: int = 3  # more cases than this are left out in groups instead of one by one
    minimum_gain: float = 0.002  # of the held-out Dice, so that a change by chance is no improvement
    reference_tolerance: float = 0.01  # Dice that the reference set may lose
    patch_voxels: int = 1_700_000  # most voxels of a training step on the CPU
    checkpoint_seconds: float = 4.0
    seed: int = 2026

    def __post_init__(self) -> None:
        for name, lowest, highest in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and lowest <= value <= highest):
                raise TrainingDataError(f"{name} must be between {lowest:g} and {highest:g}, not {value:g}.")

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FinetuneSettings:
        """Settings from the names in content, the others at their defaults; raises TrainingDataError."""
        kinds: dict[str, type] = {field.name: type(field.default) for field in fields(cls)}
        for name, value in content.items():
            if name not in kinds:
                raise TrainingDataError(f"There is no fine-tuning setting {name!r}; known are {', '.join(kinds)}.")
            if isinstance(value, bool) or not isinstance(value, (int, kinds[name])):
                raise TrainingDataError(f"The fine-tuning setting {name} must be a number, not {value!r}.")
        return cls(**{name: kinds[name](value) for name, value in content.items()})

    def to_json(self) -> dict[str, Any]:
        """All settings as plain numbers."""
        return asdict(self)


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("steps", 1, 100_000),
    ("batch", 1, 64),
    ("learning_rate", 1e-7, 1.0),
    ("encoder_factor", 0.0, 1.0),
    ("pull", 0.0, 1000.0),
    ("rehearsal", 0.0, 0.9),
    ("warmup_steps", 0, 10_000),
    ("averaging", 0.0, 0.9999),
    ("max_parts", 2, 100),
    ("minimum_gain", 0.0, 1.0),
    ("reference_tolerance", 0.0, 1.0),
    ("patch_voxels", 4096, 1e9),
    ("checkpoint_seconds", 0.0, 3600.0),
    ("seed", 0, 2**31 - 1),
)
