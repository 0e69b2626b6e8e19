"""Which slices of a result to look at first: those with the greatest expected number of wrong voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.doubt.expected_errors import expected_errors


class DoubtfulSlice(NamedTuple):
    """A slice across axis (0 is x, 1 is y, 2 is z of the voxel grid) with its number and expected wrong voxels."""

    axis: int
    number: int
    mass: float


def errors_by_slice(doubt: sitk.Image, axis: int) -> NDArray[np.float64]:
    """Return the expected number of wrong voxels in each slice across axis (0 is x, 1 is y, 2 is z)."""
    dims = tuple(dim for dim in range(3) if dim != 2 - axis)
    return expected_errors(np.asarray(sitk.GetArrayViewFromImage(doubt)), dims)


def doubtful_slices(doubt: sitk.Image, axis: int = 2) -> tuple[DoubtfulSlice, ...]:
    """Return the slices across axis in the order in which to look at them; those without doubt are left out."""
    masses = errors_by_slice(doubt, axis)
    order = np.argsort(-masses, kind="stable")
    return tuple(DoubtfulSlice(axis, int(index), float(masses[index])) for index in order if masses[index] > 0)
