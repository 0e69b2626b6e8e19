"""What the plan of a new model needs to know about one segmented scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import Grid, bounding_box, orient_axes
from LightMedSegLib.model.suggestion import modality_by_intensity

ORIENTATION = "LPS"
"""Axes of every new model."""

_SURROUNDINGS_MM = 20.0
_MOST_VALUES = 100_000

Lengths = tuple[float, float, float]


@dataclass(frozen=True)
class ScanFacts:
    """Facts about a scan and its labelmap; lengths are mm along x, y, z of ORIENTATION.

    modality: DICOM's code, or "" where neither headers nor intensities tell. size: of the volume. extent: of the
    largest structure along each axis. inside, around: intensities of the structures, and of their surroundings with
    them; a sample. connected: the label values that have a single component.
    """

    modality: str
    spacing: Lengths
    size: Lengths
    extent: Lengths
    inside: NDArray[np.float32]
    around: NDArray[np.float32]
    connected: frozenset[int]


def scan_facts(
    array: NDArray[Any], grid: Grid, labels: NDArray[Any], values: Sequence[int], modality: str = ""
) -> ScanFacts:
    """Return the facts of a volume (z, y, x) on grid with the labels of the values on the same grid.

    modality: DICOM's code if headers tell it, else the intensities have to. Raises TrainingDataError if no voxel has
    any of the values.
    """
    found = bounding_box(labels)
    boxes = {value: bounding_box(labels[found] == value) for value in values}
    shown = {value: box for value, box in boxes.items() if box[0].stop}
    if not shown:
        raise TrainingDataError("None of the segments has a voxel in this scan; there is nothing to learn.")
    axis_of, _ = orient_axes(grid.direction, ORIENTATION)
    extents = [
        [(box[2 - axis].stop - box[2 - axis].start) * grid.spacing[axis] for axis in axis_of] for box in shown.values()
    ]
    margins = [int(np.ceil(_SURROUNDINGS_MM / grid.spacing[2 - axis])) for axis in range(3)]
    around = tuple(slice(max(0, s.start - margin), s.stop + margin) for s, margin in zip(found, margins, strict=True))
    return ScanFacts(
        modality or modality_by_intensity(array),
        _lengths(grid.spacing[axis] for axis in axis_of),
        _lengths(grid.size[axis] * grid.spacing[axis] for axis in axis_of),
        _lengths(np.max(extents, axis=0)),
        _sample(array[found][labels[found] > 0]),
        _sample(array[around].reshape(-1)),
        frozenset(value for value, box in shown.items() if _is_connected(labels[found][box] == value)),
    )


def _lengths(values: Any) -> Lengths:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _sample(values: NDArray[Any]) -> NDArray[np.float32]:
    some = values[:: max(1, len(values) // _MOST_VALUES)].astype(np.float32)
    return some[np.isfinite(some)]


def _is_connected(mask: NDArray[np.bool_]) -> bool:
    import SimpleITK as sitk

    components = sitk.ConnectedComponentImageFilter()
    components.FullyConnectedOn()
    components.Execute(sitk.GetImageFromArray(mask.astype(np.uint8)))
    return bool(components.GetObjectCount() == 1)
