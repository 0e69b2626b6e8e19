"""When a quick first look on larger voxels is worth its time.

A card allows one by naming their size: its input then has a preview_spacing_mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

WORTH_IT_VOXELS = 4_000_000
"""Below this many voxels on the model's grid the full result is there as soon as a preview could be looked at."""


def is_worth_it(shape: Sequence[int], spacing: Sequence[float], card: ModelCard) -> bool:
    """Whether a volume, or the region of it, of shape voxels at spacing mm is large enough for a preview."""
    return math.prod(shape) * math.prod(spacing) / math.prod(card.input.spacing) >= WORTH_IT_VOXELS
