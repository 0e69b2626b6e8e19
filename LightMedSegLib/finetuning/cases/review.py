"""Masks of the reviewed part of a volume: a box, or where strokes corrected it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import Box, Grid, bounding_box, box_of, grow_box, region_of

SEEN_AROUND_MM = 5.0
"""What lies this close to a stroke or its completion was looked at together with it."""


@dataclass(frozen=True)
class Corrections:
    """What a person corrected in a volume.

    marked: bool (z, y, x), painted or erased by the person. completions: boxes in which the network completed that.
    """

    marked: NDArray[np.bool_]
    completions: tuple[Box, ...] = ()


def reviewed_corrections(grid: Grid, corrections: Corrections) -> NDArray[np.bool_]:
    """Return a mask (z, y, x) that is true where the corrections are, and SEEN_AROUND_MM around them.

    Raises TrainingDataError if there are none.
    """
    import SimpleITK as sitk

    mask = np.zeros(grid.shape, dtype=bool)
    for box in corrections.completions:
        mask[region_of(grow_box(box, SEEN_AROUND_MM, grid))] = True
    marked = bounding_box(corrections.marked)
    if marked[0].stop:
        place = region_of(grow_box(box_of(marked), SEEN_AROUND_MM, grid))
        radius = [int(np.ceil(SEEN_AROUND_MM / step)) for step in grid.spacing]
        image = sitk.GetImageFromArray(corrections.marked[place].astype(np.uint8))
        mask[place] |= sitk.GetArrayFromImage(sitk.BinaryDilate(image, radius, sitk.sitkBox)) > 0
    if not mask.any():
        raise TrainingDataError("No stroke corrected this segmentation; choose another reviewed region.")
    return mask


def reviewed_box(shape: tuple[int, int, int], box: Box) -> NDArray[np.bool_]:
    """Return a mask of shape (z, y, x) that is true inside the half-open index box ((i0, i1), (j0, j1), (k0, k1))."""
    mask = np.zeros(shape, dtype=bool)
    (i0, i1), (j0, j1), (k0, k1) = ((max(0, first), max(0, last)) for first, last in box)
    mask[k0:k1, j0:j1, i0:i1] = True
    return mask
