"""Whether a volume shows a brain alone, with the skull removed: by its background and the size of what is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard

_BRAIN_ML = (300.0, 2300.0)
"""What is left of a head, with some fluid and meninges; a whole head has more."""

_LEAST_BACKGROUND = 0.3
"""Share of the voxels: an ellipsoid in a box that just holds it leaves a half."""

_MOST_ON_A_FACE = 0.25
"""Share of the largest cross-section that may lie on a face of the volume, as of a brain stem: of a slab through a
head it is much, and of a head on its neck a third."""

_SAME_VALUE = 0.01
_SAMPLES = 96


def absent_labels(image: sitk.Image, card: ModelCard) -> tuple[int, ...]:
    """The labels of the card that are not looked for in a volume, because the skull was removed and they with it."""
    import SimpleITK as sitk

    if not card.removed_with_skull:
        return ()
    alone = shows_brain_alone(np.asarray(sitk.GetArrayViewFromImage(image)), image.GetSpacing())
    return card.removed_with_skull if alone else ()


def absence_note(absent: Sequence[int], card: ModelCard) -> list[str]:
    """A sentence on the labels that are not looked for; none where there are none."""
    names = [label.name for label in card.labels if label.value in absent]
    if not names:
        return []
    return [f"The scan shows a brain without the skull, so {' and '.join(names)} is not looked for."]


def shows_brain_alone(array: NDArray[Any], spacing_mm: Sequence[float]) -> bool:
    """Return whether voxels (z, y, x) around a brain all have one value; spacing along x, y, z.

    Values within 1 % of the brightest voxels count as that one, because resampling changes it a little.
    """
    steps = [max(1, size // _SAMPLES) for size in array.shape]
    sample = np.asarray(array[:: steps[0], :: steps[1], :: steps[2]], dtype=np.float64)
    values, counts = np.unique(np.concatenate([face.ravel() for face in _faces(sample)]), return_counts=True)
    background = values[counts.argmax()]
    low, high = np.percentile(sample, (2, 98))
    shown = np.abs(sample - background) > _SAME_VALUE * (high - low)
    if shown.mean() > 1 - _LEAST_BACKGROUND:
        return False
    ml = np.count_nonzero(shown) * math.prod(spacing_mm) * math.prod(steps) / 1000
    if not _BRAIN_ML[0] <= ml <= _BRAIN_ML[1]:
        return False
    for axis in range(3):
        areas = np.count_nonzero(np.moveaxis(shown, axis, 0), axis=(1, 2))
        if max(areas[0], areas[-1]) > _MOST_ON_A_FACE * areas.max():
            return False
    return True


def _faces(array: NDArray[Any]) -> list[NDArray[Any]]:
    return [array.take(index, axis=axis) for axis in range(3) for index in (0, -1)]
