"""The settings of the trainings of a new model, in a size that a small computer trains."""

from __future__ import annotations

import math

from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.training.planning.input_plan import SMALL_PATCH

_STEPS = (60, 120)
_TRAINED_VOXELS = 22_000_000
"""Of all patches of one training, so that a job of four trainings takes less than five minutes on two cores."""


def training_settings(card: ModelCard, chosen: FinetuneSettings) -> FinetuneSettings:
    """Return the settings of a job: those chosen, or for a draft what suits it instead of the usual defaults.

    A draft has nothing to remember, so nothing pulls its weights back.
    """
    if not is_draft(card) or chosen != FinetuneSettings():
        return chosen
    voxels = math.prod(card.input.patch)
    batch = 2 if 2 * voxels <= SMALL_PATCH + SMALL_PATCH // 4 else 1
    low, high = _STEPS
    steps = min(high, max(low, _TRAINED_VOXELS // (batch * voxels)))
    return FinetuneSettings(steps=steps, batch=batch, learning_rate=3e-3, pull=0.0, rehearsal=0.0, averaging=0.95)
