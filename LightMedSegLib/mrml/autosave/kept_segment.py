"""One segment with its marks as plain arrays: voxels and their place, no name of a node, segment, file or patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, Region, bounding_box

Arrays = dict[str, NDArray[Any]]

_MOST_VOXELS = 2**30


@dataclass(frozen=True)
class KeptSegment:
    """grid: in the world. mask: bool (z, y, x). color: 0..255. marks: as in mrml/strokes/marks.py."""

    grid: Grid
    mask: NDArray[np.bool_]
    color: tuple[int, int, int]
    marks: Mapping[str, NDArray[Any]]


def to_arrays(segments: Sequence[KeptSegment]) -> Arrays:
    """Return what from_arrays reads."""
    result: Arrays = {}
    for number, segment in enumerate(segments):
        grid, region = segment.grid, bounding_box(segment.mask)
        content: Arrays = {
            "size": np.array(grid.size, dtype=np.int64),
            "place": np.array([*grid.spacing, *grid.origin, *grid.direction], dtype=np.float64),
            "color": np.array(segment.color, dtype=np.uint8),
            "region": np.array([(part.start, part.stop) for part in region], dtype=np.int64),
            "bits": np.packbits(segment.mask[region]),
            **{f"marks.{name}": array for name, array in segment.marks.items()},
        }
        result |= {f"{number}.{name}": array for name, array in content.items()}
    return result


def from_arrays(arrays: Mapping[str, NDArray[Any]]) -> list[KeptSegment]:
    """Return the segments; raises ValueError for arrays of another form."""
    try:
        numbers = sorted({int(name.partition(".")[0]) for name in arrays})
        return [_segment(arrays, f"{number}.") for number in numbers]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"the kept corrections are damaged ({error})") from None


def _segment(arrays: Mapping[str, NDArray[Any]], prefix: str) -> KeptSegment:
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    x, y, z = (int(length) for length in own["size"])
    place = [float(value) for value in own["place"]]
    if min(x, y, z) < 1 or x * y * z > _MOST_VOXELS or len(place) != 15:
        raise ValueError("the kept corrections are damaged (their size)")
    grid = Grid((x, y, z), (place[0], place[1], place[2]), (place[3], place[4], place[5]), tuple(place[6:]))
    red, green, blue = (int(value) for value in own["color"])
    mask = np.zeros(grid.shape, dtype=bool)
    part = mask[_region(own["region"])]
    part[...] = np.unpackbits(own["bits"], count=part.size).reshape(part.shape)
    marks = {name.removeprefix("marks."): array for name, array in own.items() if name.startswith("marks.")}
    return KeptSegment(grid, mask, (red, green, blue), marks)


def _region(numbers: NDArray[Any]) -> Region:
    z, y, x = (slice(int(first), int(last)) for first, last in numbers)
    return z, y, x
