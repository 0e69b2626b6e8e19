"""Masks of reviewed voxels from slice positions in mm, as the slice views show them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid

AXES = ("R", "A", "S")
"""Axes along which the position of a sagittal, coronal and axial slice is measured."""

_SIGNS = (-1.0, -1.0, 1.0)  # RAS from LPS
_ROUNDING_MM = 0.01  # of what a panel shows


def reviewed_slab(grid: Grid, axis: str, first: float, last: float) -> NDArray[np.bool_]:
    """Return a mask (z, y, x) of the voxels with centres from first to last (mm, either order) along an axis of AXES.

    A slice between two planes of voxels stands for the nearest plane. Raises InputImageError if the mask is empty.
    """
    row = AXES.index(axis)
    directions = _SIGNS[row] * np.reshape(grid.direction, (3, 3))[row] * np.array(grid.spacing)
    x, y, z = (step * np.arange(size, dtype=np.float64) for step, size in zip(directions, grid.size, strict=True))
    half = np.abs(directions).max() / 2 + _ROUNDING_MM
    low, high = sorted((first, last))
    plane = _SIGNS[row] * grid.origin[row] + y[:, None] + x[None, :]
    mask = np.zeros(grid.shape, dtype=bool)
    # Plane by plane: the places of all voxels of a large scan would take gigabytes.
    for index, offset in enumerate(z):
        place = plane + offset
        mask[index] = (place >= low - half) & (place <= high + half)
    if not mask.any():
        raise InputImageError(
            f"No voxel of the volume lies between {low:.1f} and {high:.1f} mm; choose slices that meet the volume."
        )
    return mask


def slice_place(slice_node: Any, axis: str) -> float:
    """Return the position of the slice of a vtkMRMLSliceNode, in mm along an axis of AXES."""
    return float(slice_node.GetSliceToRAS().GetElement(AXES.index(axis), 3))
