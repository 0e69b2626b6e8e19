"""The memory that a segmentation needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

_BASE_BYTES = 600 * 2**20
"""PyTorch itself and the weights."""

_FEATURE_BYTES = 160
"""Of the network's features, for each voxel of a window, in two passes side by side. Measured for one: 60 to 80."""


def needed_bytes(shape: Sequence[int], spacing: Sequence[float], card: ModelCard, scalar_bytes: int) -> int:
    """A conservative estimate for a volume, or a region of it. shape: voxels (i, j, k). spacing: mm (i, j, k)."""
    voxels = math.prod(shape)
    model_voxels = voxels * math.prod(spacing) / math.prod(card.input.spacing)
    # The logits are added up over windows and mirror images, in float32.
    window = math.prod(card.input.largest_patch or card.input.patch) * (_FEATURE_BYTES + 4 * card.num_classes)
    # A copy of the volume, the labels twice, and the intensities twice on the model's grid.
    volume = voxels * (scalar_bytes * card.in_channels + 2) + model_voxels * 8 * card.in_channels
    return int(_BASE_BYTES + window + volume)
