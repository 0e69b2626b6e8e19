"""Masks of the reviewed part of a volume: a box or some slices."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import Box

_AXES = {"k": 0, "j": 1, "i": 2}


def reviewed_box(shape: tuple[int, int, int], box: Box) -> NDArray[np.bool_]:
    """Return a mask of shape (z, y, x) that is true inside the half-open index box ((i0, i1), (j0, j1), (k0, k1))."""
    mask = np.zeros(shape, dtype=bool)
    (i0, i1), (j0, j1), (k0, k1) = ((max(0, first), max(0, last)) for first, last in box)
    mask[k0:k1, j0:j1, i0:i1] = True
    return mask


def reviewed_slices(shape: tuple[int, int, int], axis: str, indices: Iterable[int]) -> NDArray[np.bool_]:
    """Return a mask (z, y, x) that is true in the slices with these indices along axis "i", "j" or "k".

    Raises TrainingDataError for a slice outside the volume.
    """
    mask = np.zeros(shape, dtype=bool)
    along = np.moveaxis(mask, _AXES[axis], 0)
    for index in indices:
        if not 0 <= index < len(along):
            raise TrainingDataError(f"There is no slice {index}: the volume has {len(along)} along {axis.upper()}.")
        along[index] = True
    return mask
