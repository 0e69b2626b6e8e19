"""A user who always marks the deepest error: what is missed is included, what is too much is excluded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from LightMedSegLib.core.geometry import Grid, bounding_box, region_of
from LightMedSegLib.interaction.strokes import Stroke

WINDOW = 96
"""Grid points along each side of the window in which a network sees the object."""

MARGIN = 1.5
"""How many times the object's box a window spans."""

RADIUS = 2.0
"""Radius of a prompt in points of that window."""

_INSIDE = 0.999


def brush_radius(truth: NDArray[np.bool_], grid: Grid) -> float:
    """The radius (mm) of a prompt for an object: RADIUS points of a window that just holds it."""
    extents = [(part.stop - part.start) * mm for part, mm in zip(bounding_box(truth), grid.spacing[::-1], strict=True)]
    return RADIUS * max(min(grid.spacing), MARGIN * max(extents) / WINDOW)


def deepest(error: NDArray[np.bool_], grid: Grid) -> tuple[tuple[int, int, int], float]:
    """The voxel (z, y, x) of an error that is farthest from its border, and how far (mm); depth 0 without an error."""
    region = bounding_box(error)
    if region[0].start == region[0].stop:
        return (0, 0, 0), 0.0
    depth = distance_transform_edt(np.pad(error[region], 1), sampling=grid.spacing[::-1])[1:-1, 1:-1, 1:-1]
    place = np.unravel_index(int(depth.argmax()), depth.shape)
    z, y, x = (int(index) + part.start for index, part in zip(place, region, strict=True))
    return (z, y, x), float(depth.max())


def next_prompt(mask: NDArray[np.bool_], truth: NDArray[np.bool_], grid: Grid, radius_mm: float) -> Stroke | None:
    """A ball in the deepest error of mask, no larger than the error there; None where mask is right everywhere."""
    include, (z, y, x), depth = _deepest_of_both(mask, truth, grid)
    return Stroke.ball(include, (x, y, z), min(radius_mm, _INSIDE * depth), grid) if depth else None


def next_stroke(mask: NDArray[np.bool_], truth: NDArray[np.bool_], grid: Grid, radius_mm: float) -> Stroke | None:
    """What a brush of this radius covers of the deepest error; None where mask is right everywhere."""
    include, (z, y, x), depth = _deepest_of_both(mask, truth, grid)
    if not depth:
        return None
    brush = Stroke.ball(include, (x, y, z), radius_mm, grid)
    region = region_of(brush.box)
    wrong = (truth & ~mask if include else mask & ~truth)[region]
    return replace(brush, voxels=brush.voxels & wrong).cropped()


def _deepest_of_both(
    mask: NDArray[np.bool_], truth: NDArray[np.bool_], grid: Grid
) -> tuple[bool, tuple[int, int, int], float]:
    missed, too_much = (deepest(error, grid) for error in (truth & ~mask, mask & ~truth))
    return (True, *missed) if missed[1] >= too_much[1] else (False, *too_much)
