"""The memory that a segmentation needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

_BASE_BYTES = 700 * 2**20
"""PyTorch itself, the weights, and the windows being processed."""


def needed_bytes(shape: Sequence[int], spacing: Sequence[float], card: ModelCard, scalar_bytes: int) -> int:
    """A conservative estimate for a volume, or a region of it. shape: voxels (i, j, k). spacing: mm (i, j, k)."""
    voxels = math.prod(shape)
    model_voxels = voxels * math.prod(spacing) / math.prod(card.input.spacing)
    # A copy of the volume, the labels twice, and the intensities twice on the model's grid.
    return int(_BASE_BYTES + voxels * (scalar_bytes * card.in_channels + 2) + model_voxels * 8 * card.in_channels)
