"""The rule for a preview: a coarse first result on larger voxels.

A card enables it with a preview_spacing_mm in its input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

WORTH_IT_VOXELS = 4_000_000
"""Fewest voxels on the model grid for a preview; with fewer, the full result is ready nearly as soon."""


def is_worth_it(shape: Sequence[int], spacing: Sequence[float], card: ModelCard) -> bool:
    """Return whether a volume, or its region, of shape voxels at spacing mm is large enough for a preview."""
    return math.prod(shape) * math.prod(spacing) / math.prod(card.input.spacing) >= WORTH_IT_VOXELS
