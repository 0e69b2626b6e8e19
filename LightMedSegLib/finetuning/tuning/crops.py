"""Crops of the cases for training: enough to learn from, few enough for a small computer's memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

MOST_VOXELS = 25_000_000
"""Of the crops of all cases together: about 100 MB."""

_MARGIN = 1.25  # a turned or shifted patch still finds voxels around it


def training_crops(
    case: PreparedCase, patch: Shape, count: int, seed: int, background: bool = False
) -> list[PreparedCase]:
    """Up to count crops of case, a quarter larger than patch, each centred on a voxel of known truth.

    The structures take turns as centres, so that small ones are not missed; with background it has a turn too, so
    that a network that has seen no scan yet learns what lies far from them. A case that is not larger than a crop is
    returned whole. Crops without any known voxel do not occur; a case without one gives none.
    """
    shape = case.labels.shape
    size = [min(length, round(_MARGIN * wanted)) for length, wanted in zip(shape, patch, strict=True)]
    known = case.labels != IGNORED
    if not known.any():
        return []
    if tuple(size) == shape:
        return [case]
    random = np.random.default_rng(seed)
    values = [value for value in np.unique(case.labels[known]).tolist() if value != 0] or [0]
    if background and (case.labels == 0).any():
        values = [*values, 0] if values != [0] else values
    crops = []
    for number in range(count):
        voxels = np.argwhere(case.labels == values[number % len(values)])
        centre = voxels[random.integers(len(voxels))]
        crops.append(_crop(case, centre.tolist(), size, number))
    return crops


def crops_per_case(cases: int, patch: Shape) -> int:
    """The largest number of crops per case, for patches of this size and this number of cases."""
    return max(1, min(24, int(MOST_VOXELS / (math.prod(patch) * _MARGIN**3)) // max(1, cases)))


def _crop(case: PreparedCase, centre: Sequence[int], size: Sequence[int], number: int) -> PreparedCase:
    start = [
        min(max(0, middle - length // 2), whole - length)
        for middle, length, whole in zip(centre, size, case.labels.shape, strict=True)
    ]
    z, y, x = (slice(first, first + length) for first, length in zip(start, size, strict=True))
    image, labels = case.image[:, z, y, x].copy(), case.labels[z, y, x].copy()
    return PreparedCase(f"{case.name}-{number}", image, labels, case.labelled)
