"""Agreement of a segmentation with a reference: Dice, HD95, NSD and volumes, for each label.

The conventions are those of MONAI, so that metrics can be compared:

* A label in neither labelmap has no Dice, HD95 or NSD: they are nan and left out of means.
* A label in one labelmap only has Dice 0, NSD 0 and an infinite HD95.
* HD95 is the larger of the two directions' 95th percentiles of surface distances (mm).
* NSD (normalised surface Dice) counts surface voxels, as in Nikolov et al. 2021, doi:10.2196/26151, but
  with voxels in place of their surface elements; the two agree where voxels are near cubic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.labels import Label
from LightMedSegLib.evaluation.surface_distances import surface_distances


@dataclass(frozen=True)
class LabelMetrics:
    """Agreement of one label; volumes in ml, distances in mm."""

    value: int
    name: str
    dice: float
    hd95_mm: float
    nsd: float
    volume_ml: float
    reference_volume_ml: float

    @property
    def volume_difference_ml(self) -> float:
        """Predicted minus reference volume."""
        return self.volume_ml - self.reference_volume_ml


def dice(prediction: np.ndarray, reference: np.ndarray) -> float:
    """Dice overlap 2|A and B| / (|A| + |B|) of two boolean arrays of equal shape; nan if both are empty."""
    total = np.count_nonzero(prediction) + np.count_nonzero(reference)
    return 2.0 * np.count_nonzero(prediction & reference) / total if total else math.nan


def surface_metrics(
    prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, ...], tolerance_mm: float
) -> tuple[float, float]:
    """HD95 in mm, and NSD at a tolerance in mm, of two boolean masks (z, y, x); spacing is (x, y, z) in mm."""
    present = bool(prediction.any()), bool(reference.any())
    if not any(present):
        return math.nan, math.nan
    if not all(present):
        return math.inf, 0.0
    distances = surface_distances(prediction, reference, spacing)
    return distances.percentile(95.0), distances.within(tolerance_mm)


def volume_ml(mask: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Volume of a boolean mask in millilitres; spacing in mm."""
    return float(np.count_nonzero(mask)) * math.prod(spacing) / 1000.0


def evaluate(
    prediction: sitk.Image,
    reference: sitk.Image,
    labels: Sequence[Label] | Mapping[int, str],
    tolerance_mm: float = 1.0,
) -> list[LabelMetrics]:
    """Metrics of each label of two labelmaps on the same grid, in the order of ``labels``.

    Raises InputImageError if the grids differ.
    """
    check_same_grid(prediction, reference)
    spacing = reference.GetSpacing()
    predicted, wanted = sitk.GetArrayViewFromImage(prediction), sitk.GetArrayViewFromImage(reference)
    names = dict(labels) if isinstance(labels, Mapping) else {label.value: label.name for label in labels}
    results = []
    for value, name in names.items():
        mine, theirs = predicted == value, wanted == value
        distance, surface_dice = surface_metrics(mine, theirs, spacing, tolerance_mm)
        results.append(
            LabelMetrics(
                value=value,
                name=name,
                dice=dice(mine, theirs),
                hd95_mm=distance,
                nsd=surface_dice,
                volume_ml=volume_ml(mine, spacing),
                reference_volume_ml=volume_ml(theirs, spacing),
            )
        )
    return results


def mean_without_nan(values: Iterable[float]) -> float:
    """Mean of the values that exist (see the conventions above); nan if none does."""
    present = [value for value in values if not math.isnan(value)]
    return sum(present) / len(present) if present else math.nan


def check_same_grid(first: sitk.Image, second: sitk.Image) -> None:
    """Raise InputImageError unless both images have the same voxels (see Grid.same_as)."""
    if first.GetSize() != second.GetSize():
        sizes = [" x ".join(str(n) for n in image.GetSize()) for image in (first, second)]
        raise InputImageError(f"The two segmentations differ in size ({sizes[0]} and {sizes[1]} voxels).")
    if not Grid.of(first).same_as(Grid.of(second)):
        raise InputImageError(
            "The two segmentations differ in spacing, origin or direction; resample one to the grid of the other."
        )
