"""Which window a stroke needs: large enough for the object, fine enough for its border."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, Region, bounding_box, box_of, region_of, union_box
from LightMedSegLib.interaction.prompt_values import POINT_RADIUS
from LightMedSegLib.interaction.rules import connected
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.interaction.window import Window

FILLED = 0.8
"""The share of a window's length that the known part of an object may fill."""

COARSER, MUCH_COARSER = 1.5, 2.0
"""How many times larger the next window is if the object reaches faces of the present one, and if two are opposite."""

_SLICE_POINTS = 24
_REACH = 5
_LOOKS = (1, 2, 4, 8)


def first_window(stroke: Stroke, mask: NDArray[np.bool_], grid: Grid, size: int) -> Window:
    """Return the window around the stroke and the part of mask beside it, not finer than the volume.

    Of an object without such a part, the width of the stroke tells how large it is: large objects get large brushes.
    What is painted in one slice counts as a part of the object's cross section.
    size: grid points along each axis.
    """
    beside = part_beside(stroke, mask, grid, size)
    box = union_box(stroke.box, beside or stroke.box)
    spacing = max(min(grid.spacing), _lengths(box, grid)[-1] / (FILLED * size))
    if beside is None:
        thinnest, width, _ = _lengths(stroke.box, grid)
        points = 2 * POINT_RADIUS + 1 if thinnest >= width / 2 else _SLICE_POINTS
        spacing = max(spacing, min(width / points, _lengths(grid.box, grid)[-1] / (FILLED * size)))
    return Window.around(box, grid, spacing, size)


def coarser_window(window: Window, reached: Region) -> Window | None:
    """Return a larger window around what the object reached (z, y, x) in this one; None if it is inside.

    Faces outside the volume do not count.
    """
    cut = [
        (part.start == 0 == inside.start, part.stop == window.size == inside.stop)
        for part, inside in zip(reached, window.inside, strict=True)
    ]
    if not any(map(any, cut)):
        return None
    factor = MUCH_COARSER if any(map(all, cut)) else COARSER
    return Window.around(window.box_of(reached), window.volume, window.spacing * factor, window.size)


def finer_window(window: Window, stroke: Stroke, finer_from: float) -> Window | None:
    """Return a window of the volume's finest spacing around the stroke; None if this one is fine enough.

    A stroke that is larger than that window gets one that it fills.
    """
    finest = min(window.volume.spacing)
    if window.spacing <= finer_from * finest:
        return None
    spacing = max(finest, _lengths(stroke.box, window.volume)[-1] / (FILLED * window.size))
    if spacing * finer_from >= window.spacing:
        return None
    return Window.around(stroke.box, window.volume, spacing, window.size)


def part_beside(stroke: Stroke, mask: NDArray[np.bool_], grid: Grid, size: int) -> Box | None:
    """Return the box of the parts of mask at the stroke or up to 5 voxels beside it; None if there is none.

    Looks at more and more of the mask, with fewer and fewer voxels, until the parts end inside what is seen; size:
    voxels along each axis of a look.
    """
    found: Box | None = None
    for step in _LOOKS:
        half = [max(size // 2 * step * min(grid.spacing) / mm, 1) for mm in grid.spacing]
        seen = tuple(
            (max(0, int(first - reach)), min(voxels, int(last + reach)))
            for (first, last), reach, voxels in zip(stroke.box, half, grid.size, strict=True)
        )
        box: Box = (seen[0], seen[1], seen[2])
        z, y, x = region_of(box)
        steps = [1 if mm > step * min(grid.spacing) else step for mm in reversed(grid.spacing)]
        part = mask[z.start : z.stop : steps[0], y.start : y.stop : steps[1], x.start : x.stop : steps[2]]
        near = _near(stroke, box, steps, part.shape)
        hit = connected(part.copy(), near & part)
        region = bounding_box(hit)
        if region[0].start == region[0].stop:
            return found
        scaled = tuple(
            slice(one.start * n, min(one.stop * n, whole.stop - whole.start))
            for one, n, whole in zip(region, steps, (z, y, x), strict=True)
        )
        found = box_of((scaled[0], scaled[1], scaled[2]), box)
        ends = zip(found, box, grid.size, strict=True)
        if not any((f[0] == b[0] > 0) or (f[1] == b[1] < voxels) for f, b, voxels in ends):
            return found
    return found


def _near(stroke: Stroke, box: Box, steps: list[int], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    near = np.zeros(shape, dtype=bool)
    ranges = []
    for axis, step in zip((2, 1, 0), steps, strict=True):
        first, last = (value - box[axis][0] for value in stroke.box[axis])
        ranges.append(slice(max(0, (first - _REACH) // step), (last + _REACH) // step + 1))
    near[ranges[0], ranges[1], ranges[2]] = True
    return near


def _lengths(box: Box, grid: Grid) -> list[float]:
    """The box's lengths in mm, the shortest first."""
    return sorted((last - first) * mm for (first, last), mm in zip(box, grid.spacing, strict=True))
