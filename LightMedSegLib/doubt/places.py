"""The places of a result where it is worth looking: connected doubt at one structure, the largest first.

Doubt follows every boundary, so the doubt of one structure may surround it. Such a part is halved across its longest
side until each piece can be seen in one view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, bounding_box, region_of, with_neighbours
from LightMedSegLib.doubt.expected_errors import expected_errors

if TYPE_CHECKING:
    from LightMedSegLib.core.labels import Label

LEAST_DOUBT = 64
"""Voxels of less doubt (an error in more than eight) belong to no place."""

LARGEST_MM = 25.0
"""Longest side of a place."""

LEAST_MASS = 1.0
"""Places with fewer expected wrong voxels are left out."""

_REACH = 4
"""Background within so many doubtful voxels of a structure is counted as doubt about that structure."""


class Candidate(NamedTuple):
    """A label that may be right at a place; background has the value 0."""

    value: int
    name: str


@dataclass(frozen=True)
class DoubtfulPlace:
    """A connected part of the doubt at one structure.

    center: (x, y, z), LPS, mm: the voxel of the place nearest to its centre of mass. box: the half-open index ranges
    ((i0, i1), (j0, j1), (k0, k1)) that hold it. structure: what the place belongs to, the background where no
    structure is near. candidates: the most frequent label in the place, and the most frequent other label in it or next
    to it. mass: the expected number of wrong voxels. share: mass as a part of what is expected in the whole scan.
    """

    center: tuple[float, float, float]
    box: Box
    structure: Candidate
    candidates: tuple[Candidate, Candidate]
    mass: float
    share: float


def doubtful_places(
    doubt: sitk.Image, labelmap: sitk.Image, labels: Sequence[Label] | Mapping[int, str], most: int = 200
) -> tuple[DoubtfulPlace, ...]:
    """Return the places with the greatest expected number of wrong voxels, the greatest first.

    doubt, labelmap: as in a Segmentation, on one grid. labels: of its card, or names by value. most: how many places at
    most.
    """
    levels, values = (np.asarray(sitk.GetArrayViewFromImage(image)) for image in (doubt, labelmap))
    names = dict(labels) if isinstance(labels, Mapping) else {label.value: label.name for label in labels}
    doubtful = levels >= LEAST_DOUBT
    whole = bounding_box(doubtful)
    structures = _structures(values[whole], doubtful[whole])
    total, grid = expected_errors(levels), Grid.of(doubt)
    parts = [
        (expected_errors(levels[whole][tuple(voxels.T)]), value, voxels)
        for value in np.unique(structures[doubtful[whole]]).tolist()
        for voxels in _parts((structures == value) & doubtful[whole], grid.spacing)
    ]
    large = sorted((part for part in parts if part[0] >= LEAST_MASS), key=lambda part: -part[0])[:most]
    start = np.array([part.start for part in whole])
    return tuple(
        _place(voxels + start, value, mass, mass / total, levels, values, grid, names) for mass, value, voxels in large
    )


def _structures(values: NDArray[np.uint8], doubtful: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The label (z, y, x) whose doubt each doubtful voxel is: its own, or for background that of a structure near."""
    grown = values.copy()
    for _ in range(_REACH):
        for axis in range(3):
            along = np.moveaxis(grown, axis, 0)
            free = np.moveaxis(doubtful, axis, 0)
            for target, source in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
                np.copyto(along[target], along[source].copy(), where=(along[target] == 0) & free[target])
    return grown


def _parts(mask: NDArray[np.bool_], spacing: Sequence[float]) -> Iterator[NDArray[np.int64]]:
    """Indices (voxels, 3), z, y, x, of each connected part of mask, cut to LARGEST_MM; spacing along x, y, z."""
    region = bounding_box(mask)
    connected = sitk.ConnectedComponent(sitk.GetImageFromArray(mask[region].view(np.uint8)), True)
    numbers = sitk.GetArrayFromImage(connected)
    voxels = np.argwhere(numbers)
    number = numbers[tuple(voxels.T)]
    order = np.argsort(number, kind="stable")
    start = np.array([part.start for part in region])
    for part in np.split(voxels[order] + start, np.flatnonzero(np.diff(number[order])) + 1):
        yield from _cut(part, np.array(spacing[::-1]))


def _cut(voxels: NDArray[np.int64], spacing: NDArray[np.float64]) -> Iterator[NDArray[np.int64]]:
    lower, upper = voxels.min(axis=0), voxels.max(axis=0)
    lengths = (upper - lower + 1) * spacing
    axis = int(lengths.argmax())
    if lengths[axis] <= LARGEST_MM or lower[axis] == upper[axis]:
        yield voxels
        return
    first = voxels[:, axis] <= (lower[axis] + upper[axis]) // 2
    yield from _cut(voxels[first], spacing)
    yield from _cut(voxels[~first], spacing)


def _place(
    voxels: NDArray[np.int64],
    structure: int,
    mass: float,
    share: float,
    levels: NDArray[np.uint8],
    values: NDArray[np.uint8],
    grid: Grid,
    names: Mapping[int, str],
) -> DoubtfulPlace:
    z, y, x = zip(voxels.min(axis=0).tolist(), (voxels.max(axis=0) + 1).tolist(), strict=True)
    box: Box = (x, y, z)
    weights = levels[tuple(voxels.T)].astype(np.float64)
    middle = (voxels * weights[:, None]).sum(axis=0) / weights.sum()
    distances = (((voxels - middle) * grid.spacing[::-1]) ** 2).sum(axis=1)
    k, j, i = voxels[int(distances.argmin())].tolist()
    center = grid.point((i, j, k)).tolist()
    own = np.bincount(values[tuple(voxels.T)], weights, 256)
    first = int(own.argmax())
    near = np.bincount(values[region_of(with_neighbours(box, grid))].ravel(), minlength=256).astype(np.float64)
    others = own if np.count_nonzero(own) > 1 else near
    others[first] = 0
    second = int(others.argmax()) if others.any() else 0
    candidates = (_candidate(first, names), _candidate(second, names))
    return DoubtfulPlace((center[0], center[1], center[2]), box, _candidate(structure, names), candidates, mass, share)


def _candidate(value: int, names: Mapping[int, str]) -> Candidate:
    return Candidate(value, names.get(value, "background" if value == 0 else f"Label {value}"))
