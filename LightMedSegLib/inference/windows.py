"""Where the overlapping windows of a sliding-window pass lie, and how they are weighted."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, int, int]

SIGMA_FRACTION = 1 / 8
SMALLEST_WEIGHT = 1e-3


def window_starts(length: int, patch: int, overlap: float) -> list[int]:
    """First voxels of the windows along one axis: evenly spread, from border to border.

    Neighbours are at most (1 - overlap) * patch apart. length is at least patch.
    """
    if length < patch:
        raise ValueError(f"A window of {patch} voxels does not fit into {length}; pad the volume.")
    step = max(1.0, patch * (1 - overlap))
    count = math.ceil((length - patch) / step) + 1
    if count == 1:
        return [0]
    return [round(index * (length - patch) / (count - 1)) for index in range(count)]


def plan_windows(shape: Shape, patch: Shape, overlap: float, body: NDArray[np.bool_] | None = None) -> list[Shape]:
    """Starts (z, y, x) of the windows that cover a volume of the given shape.

    With body (bool, of that shape) a window without a single body voxel is left out: it holds nothing but air.
    """
    starts = [window_starts(length, size, overlap) for length, size in zip(shape, patch, strict=True)]
    windows = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    if body is None:
        return windows
    return [(z, y, x) for z, y, x in windows if body[z : z + patch[0], y : y + patch[1], x : x + patch[2]].any()]


def gaussian_weights(patch: Shape) -> NDArray[np.float32]:
    """Weights (z, y, x) of one window: a Gaussian that is 1 in the middle and at least SMALLEST_WEIGHT.

    Towards a window's border the network sees less of the surroundings, so its vote counts less there.
    """
    axes = []
    for size in patch:
        distance = (np.arange(size) - (size - 1) / 2) / (size * SIGMA_FRACTION)
        axes.append(np.exp(-0.5 * distance**2))
    weights = axes[0][:, None, None] * axes[1][:, None] * axes[2]
    weights /= weights.max()
    return np.maximum(weights, SMALLEST_WEIGHT).astype(np.float32)


def padded_shape(shape: Shape, patch: Shape, multiple: int) -> Shape:
    """The least shape that is at least patch and a multiple of multiple along every axis."""
    z, y, x = (-(-max(length, size) // multiple) * multiple for length, size in zip(shape, patch, strict=True))
    return (z, y, x)


def padding_before(shape: Shape, padded: Shape) -> Shape:
    """Voxels added in front of each axis when shape is padded to padded; the rest goes behind."""
    z, y, x = ((target - length) // 2 for length, target in zip(shape, padded, strict=True))
    return (z, y, x)
