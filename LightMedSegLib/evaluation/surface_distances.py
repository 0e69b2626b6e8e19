"""Distances between the surfaces of two masks, in mm.

A surface is the set of mask voxels with a face neighbour outside the mask (voxels at the border of the
volume count as surface). Distances are Euclidean, from voxel centre to voxel centre, with the spacing of
the grid, and exact (Maurer's distance transform).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.core.itk_filters import distance_map


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances of every surface voxel of each mask to the nearest surface voxel of the other; 1D arrays in mm."""

    first_to_second: np.ndarray
    second_to_first: np.ndarray

    def percentile(self, percent: float) -> float:
        """The larger of the two directions' percentiles: 95 gives HD95, 100 the Hausdorff distance."""
        return float(max(np.percentile(self.first_to_second, percent), np.percentile(self.second_to_first, percent)))

    def within(self, tolerance: float) -> float:
        """Share of all surface voxels, of both masks together, at most tolerance (mm) from the other surface."""
        near = np.count_nonzero(self.first_to_second <= tolerance) + np.count_nonzero(self.second_to_first <= tolerance)
        return float(near / (self.first_to_second.size + self.second_to_first.size))


def surface_distances(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...]) -> SurfaceDistances:
    """Distances between two non-empty boolean masks (z, y, x) of equal shape; spacing is (x, y, z) in mm."""
    # Distances between the surfaces need nothing outside.
    box = bounding_box(first | second)
    surface_one, surface_two = surface(first[box]), surface(second[box])
    return SurfaceDistances(
        distance_map(surface_two, spacing)[surface_one],
        distance_map(surface_one, spacing)[surface_two],
    )


def surface(mask: np.ndarray) -> np.ndarray:
    """The voxels of a boolean mask (z, y, x) that have a face neighbour outside it, as a boolean array."""
    padded = np.pad(mask, 1)
    inner = mask.copy()
    for axis in range(mask.ndim):
        for shift in (0, 2):
            window = [slice(1, -1)] * mask.ndim
            window[axis] = slice(shift, shift + mask.shape[axis])
            inner &= padded[tuple(window)]
    return mask & ~inner
