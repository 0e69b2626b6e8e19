"""Facts of a volume that model suggestions and warnings use, independent of any model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.checks.empty_slices import empty_share
from LightMedSegLib.checks.hounsfield import looks_like_hounsfield
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.core.measured_values import measured_values, plateau_amid, sample_of
from LightMedSegLib.io.scan_tags import ScanTags, tags_of
from LightMedSegLib.model.suggestion import Appearance, Stack, appearance_of

if TYPE_CHECKING:
    import SimpleITK as sitk

_SHOWN_IN_PLANES = ("CT", "MR", "")
_MOST_LABELS = 60
"""A labelmap rarely has more values; a scan of eight bits has about 200."""


@dataclass(frozen=True)
class ScanFacts:
    """What a volume looks like.

    appearance: modality, extent and cross-sections. recorded: whether headers give the modality. spacing: mm along x,
    y, z. negative: whether there are measured values below zero. hounsfield: whether the values can be Hounsfield
    units. plateau: a value within the measured range that far too many voxels have, with their share. empty: share of
    the slices along an axis that hold only zeros and end abruptly. labels: whether there are only a few different
    values, all whole, as in a labelmap.
    """

    appearance: Appearance
    recorded: bool
    spacing: tuple[float, float, float]
    negative: bool
    hounsfield: bool
    plateau: tuple[float, float] | None = None
    empty: float = 0.0
    labels: bool = False


def look_at(array: NDArray[Any], grid: Grid, tags: ScanTags | None = None) -> ScanFacts:
    """Return the facts of voxels (z, y, x) of any numeric type on a grid. Fast: a sparse sample is read."""
    tags = tags or ScanTags()
    values = sample_of(array)
    measured = measured_values(values)
    own = values[(values > measured.above) & (values < measured.below)]
    appearance = replace(_appearance(array, grid, tags.modality), body_part=tags.body_part, stack=Stack.of(grid))
    return ScanFacts(
        appearance,
        bool(tags.modality),
        grid.spacing,
        bool(len(own) and own[0] < 0),
        looks_like_hounsfield(own, appearance.extent_mm),
        plateau_amid(values, measured),
        empty_share(array),
        _like_labels(values),
    )


def look_at_image(image: sitk.Image, tags: ScanTags | None = None) -> ScanFacts:
    """Return the facts of an image; without tags, those of the headers that came with the image are used."""
    import SimpleITK as sitk

    return look_at(np.asarray(sitk.GetArrayViewFromImage(image)), Grid.of(image), tags or tags_of(image))


def _like_labels(values: NDArray[np.float64]) -> bool:
    different = np.unique(values)
    return len(different) <= _MOST_LABELS and bool((different == np.round(different)).all())


def _appearance(array: NDArray[Any], grid: Grid, modality: str) -> Appearance:
    if modality not in _SHOWN_IN_PLANES:
        x, y, z = (count * length for count, length in zip(grid.size, grid.spacing, strict=True))
        return Appearance(modality, (x, y, z))
    toward_head = np.reshape(grid.direction, (3, 3))[2]
    upward = int(np.abs(toward_head).argmax())
    if toward_head[upward] < 0:
        array = np.flip(array, 2 - upward)
    return appearance_of(array, grid.spacing, upward, modality)
