"""The Dice that a result is expected to reach, from the doubt within each structure.

Of the voxels of a structure, those that are expected to be right are its mean confidence. If as many voxels are missed
as are too much, that is the Dice; what a model's validation cases showed of the relation is in its card.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.label_volumes import voxels_per_value
from LightMedSegLib.doubt.expected_errors import GREATEST

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard


class Doubted(Protocol):
    """A result, as segment returns it."""

    @property
    def labelmap(self) -> sitk.Image:
        """UInt8 labelmap."""

    @property
    def card(self) -> ModelCard:
        """The card of the model that made it."""

    @property
    def doubt(self) -> sitk.Image | None:
        """UInt8, on the grid of the labelmap; None if it was not asked for."""


def expected_dice(result: Doubted) -> dict[str, float]:
    """Return the expected Dice of each segment of a result, by its name.

    Segments without voxels have none, and neither has a result without doubt or of a model that was not calibrated.
    """
    values = expected_dice_of_values(result)
    return {label.name: values[label.value] for label in result.card.labels if label.value in values}


def expected_dice_of_values(result: Doubted) -> dict[int, float]:
    """As expected_dice, by the segment's value."""
    import SimpleITK as sitk

    calibration = result.card.expected_dice
    if result.doubt is None or calibration is None:
        return {}
    labels, doubt = (sitk.GetArrayViewFromImage(image) for image in (result.labelmap, result.doubt))
    return {value: calibration(value, one) for value, one in mean_confidences(labels, doubt).items()}


def mean_confidences(labels: NDArray[np.uint8], doubt: NDArray[np.uint8]) -> dict[int, float]:
    """Return the mean probability (0 to 1) that a voxel of a label is right, for each label of labels (z, y, x)."""
    total = np.zeros(256)
    for plane, levels in zip(labels, doubt, strict=True):
        if plane.any():
            total += np.bincount(plane.ravel(), levels.ravel(), 256)
    voxels = voxels_per_value(labels)
    present = (np.flatnonzero(voxels[1:]) + 1).tolist()
    return {value: 1 - float(total[value] / voxels[value]) / (2 * GREATEST) for value in present}


def mean_expected_dice(segments: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the mean of the items expected_dice of segments; None where no segment has one."""
    values = [one["expected_dice"] for one in segments if one.get("expected_dice") is not None]
    return sum(values) / len(values) if values else None
