"""Plausibility of a result: warnings about volumes and positions far from those of all training cases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, bounding_box
from LightMedSegLib.model.label_ranges import LabelRange

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

_MOST_SENTENCES = 3
_MOST_NAMES = 8
_ADVICE = "check whether the scan shows what the model is for"


@dataclass(frozen=True)
class Found:
    """One label of a labelmap: ml, centroid in the world (LPS, mm), and whether it is cut at the border of the box."""

    volume_ml: float
    centroid: NDArray[np.float64]
    cut: bool


def found_labels(labels: NDArray[Any], grid: Grid, box: Box) -> dict[int, Found]:
    """Return the facts of each label in labels (z, y, x; whole numbers up to 255), of which only box was segmented."""
    counts, sums = np.zeros(256), np.zeros((3, 256))
    # A maximum finds the occupied box in a tenth of the time of looking for every voxel.
    occupied = bounding_box(labels)
    first = np.array([part.start for part in reversed(occupied)])[:, None]
    for z, plane in enumerate(labels[occupied]):
        places = np.flatnonzero(plane)
        if not len(places):
            continue
        values = plane.ravel()[places]
        number = np.bincount(values, minlength=256)
        y, x = np.divmod(places, plane.shape[1])
        counts += number
        for sum_, weights in zip(sums, (x, y), strict=False):
            sum_ += np.bincount(values, weights=weights, minlength=256)
        sums[2] += z * number
    sums += first * counts
    cut = _at_border(labels, box)
    voxel_ml = math.prod(grid.spacing) / 1000
    return {
        int(value): Found(
            float(counts[value]) * voxel_ml, grid.point(tuple(sums[:, value] / counts[value])), int(value) in cut
        )
        for value in np.flatnonzero(counts)
    }


def result_warnings(labels: NDArray[np.uint8], grid: Grid, card: ModelCard, box: Box) -> list[str]:
    """Return sentences about structures of labels (z, y, x) outside the ranges of the card; none without ranges.

    A structure that is cut at the border of box, the segmented region, can have any smaller volume.
    """
    if not card.ranges:
        return []
    found = found_labels(labels, grid, box)
    if not found:
        return [f"None of the model's structures was found; {_ADVICE}."]
    names = {label.value: label.name for label in card.labels}
    odd = odd_labels(found, card)
    if len(odd) <= _MOST_SENTENCES:
        return [f"{names[value]} {text}; {_ADVICE}." for value, text in odd.items()]
    listed = [names[value] for value in odd]
    more = f" and {len(listed) - _MOST_NAMES} more" if len(listed) > _MOST_NAMES else ""
    return [
        f"{len(odd)} structures have volumes or places that no training case comes near to "
        f"({', '.join(listed[:_MOST_NAMES])}{more}); {_ADVICE}."
    ]


def odd_labels(found: Mapping[int, Found], card: ModelCard) -> dict[int, str]:
    """Return what is implausible about each label that lies outside the ranges of the card."""
    names = {label.value: label.name for label in card.labels}
    return {entry.value: text for entry in card.ranges if (text := _oddity(entry, found, names))}


def _oddity(entry: LabelRange, found: Mapping[int, Found], names: Mapping[int, str]) -> str:
    """Return what is implausible about a label, "" if nothing is."""
    own = found.get(entry.value)
    if own is None:
        return ""
    low, high = entry.volume_ml
    if own.volume_ml > high or (own.volume_ml < low and not own.cut):
        return f"has {_ml(own.volume_ml)} ml, while {_ml(low)} to {_ml(high)} ml are plausible"
    origin = found.get(entry.origin or 0)
    if entry.offset_mm is None or origin is None or own.cut or origin.cut:
        return ""
    offset = own.centroid - origin.centroid
    if all(first <= value <= last for value, (first, last) in zip(offset, entry.offset_mm, strict=True)):
        return ""
    return f"lies where it cannot be, seen from {names[entry.origin or 0]}"


def _ml(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _at_border(labels: NDArray[Any], box: Box) -> set[int]:
    (x0, x1), (y0, y1), (z0, z1) = box
    part = labels[z0:z1, y0:y1, x0:x1]
    return set(_face_values(part))


def _face_values(part: NDArray[Any]) -> Iterator[int]:
    for axis in range(3):
        for face in (0, -1):
            yield from np.unique(part.take(face, axis=axis)).tolist()
