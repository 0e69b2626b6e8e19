"""What a person may set for a fine-tuning run; the defaults were chosen by measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.storage.records import check_record, read_record, record_json, refused_as


@dataclass(frozen=True)
class FinetuneSettings:
    """Numbers of one fine-tuning run.

    The defaults come from Testing/Benchmarks/finetune_site_shift.py. steps is per training: a job trains once for each
    fold, and once on all cases.
    """

    steps: Annotated[int, Limits(minimum=1, maximum=100_000)] = 30
    batch: Annotated[int, Limits(minimum=1, maximum=64)] = 2
    learning_rate: Annotated[float, Limits(minimum=1e-7, maximum=1)] = 1e-3
    # Learning rate of the encoder relative to the rest; 0 freezes it
    encoder_factor: Annotated[float, Limits(minimum=0, maximum=1)] = 1.0
    # Of the weights towards the parent's, as a rate like weight decay
    pull: Annotated[float, Limits(minimum=0, maximum=1000)] = 100.0
    # Share of the patches that come from the model's reference set
    rehearsal: Annotated[float, Limits(minimum=0, maximum=0.9)] = 0.5
    warmup_steps: Annotated[int, Limits(minimum=0, maximum=10_000)] = 5
    # Decay of the moving average of the weights
    averaging: Annotated[float, Limits(minimum=0, maximum=0.9999)] = 0.9
    # More cases than this are left out in groups instead of one by one
    max_parts: Annotated[int, Limits(minimum=2, maximum=100)] = 3
    # Of the held-out Dice, so that a change by chance is no improvement
    minimum_gain: Annotated[float, Limits(minimum=0, maximum=1)] = 0.002
    # Dice that the reference set may lose
    reference_tolerance: Annotated[float, Limits(minimum=0, maximum=1)] = 0.01
    # Most voxels of a training step on the CPU
    patch_voxels: Annotated[int, Limits(minimum=4096, maximum=1_000_000_000)] = 1_700_000
    checkpoint_seconds: Annotated[float, Limits(minimum=0, maximum=3600)] = 4.0
    seed: Annotated[int, Limits(minimum=0, maximum=2**31 - 1)] = 2026

    def __post_init__(self) -> None:
        with refused_as(TrainingDataError, "A fine-tuning setting"):
            check_record(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FinetuneSettings:
        """Settings from the names in content, the others at their defaults; raises TrainingDataError."""
        with refused_as(TrainingDataError, "A fine-tuning setting"):
            return read_record(cls, dict(content))

    def to_json(self) -> dict[str, Any]:
        """All settings as plain numbers."""
        return record_json(self)
