"""Voxels, volume and mean intensity of each label: plain numbers, computed in any thread."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.label_volumes import voxels_per_value


@dataclass(frozen=True)
class SegmentNumbers:
    """One row of the statistics table; mean is in the volume's own units, nan without voxels or intensities."""

    name: str
    voxels: int
    volume_ml: float
    mean: float


def label_numbers(
    labels: NDArray[np.uint8],
    intensities: NDArray[Any] | None,
    spacing: tuple[float, ...],
    names: Mapping[int, str],
) -> list[SegmentNumbers]:
    """Return the statistics of each label of names in labels (z, y, x); intensities: same shape; spacing in mm."""
    counts, sums = voxels_per_value(labels), np.zeros(256)
    if intensities is not None:
        # Plane by plane: bincount turns every voxel into sixteen bytes.
        for plane, values in zip(labels, intensities, strict=True):
            if plane.any():
                sums += np.bincount(plane.ravel(), weights=values.ravel(), minlength=256)
    voxel_ml = math.prod(spacing) / 1000.0
    rows = []
    for value, name in names.items():
        count = int(counts[value])
        mean = float(sums[value] / count) if count and intensities is not None else math.nan
        rows.append(SegmentNumbers(name, count, count * voxel_ml, mean))
    return rows
