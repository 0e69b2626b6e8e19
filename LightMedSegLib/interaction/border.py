"""How a stroke on a segment moves the segment's border beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, grow_box, region_of
from LightMedSegLib.core.itk_filters import distance_map
from LightMedSegLib.interaction.strokes import Stroke

SHARE = 0.8
"""How far the border moves right beside a stroke, as a share of how far the stroke goes beyond the border."""

WIDTH = 1.5
"""Standard deviation of the border's move along it, in radii of the stroke."""

DEPTHS = 1.5
"""The radius of a stroke counts up to so many times how far it goes beyond the border: broad strokes are flat."""

LARGEST_RADIUS = 10.0
"""The radius (mm) of a stroke counts up to this, so that a filled slice does not take long."""

BESIDE = 2.0
"""A stroke that goes at most so many of its radii beyond the border corrects the border, and nothing else."""

_REACH = 3.0
_DISC = 2.0
"""Radius of a disc in standard deviations of its points along one axis."""


@dataclass(frozen=True)
class MovedBorder:
    """What a stroke changes beside itself: voxels (z, y, x) of a box. suffices: the stroke corrects only the border."""

    box: Box
    voxels: NDArray[np.bool_]
    suffices: bool


def moved_border(volume: NDArray[Any], mask: NDArray[np.bool_], stroke: Stroke, grid: Grid) -> MovedBorder:
    """Return what changes around a stroke where the border of a segment moves with it.

    volume: grey values (z, y, x). mask: the segment (z, y, x) before the stroke, or as the stroke left it. A painted
    stroke moves its border outwards, an erased one inwards. Where a stroke reaches out (not suffices), only voxels
    follow that look no less like the stroke than like what stays around it. A stroke far from the border moves nothing.
    """
    nothing = MovedBorder(stroke.box, np.zeros_like(stroke.voxels), suffices=False)
    radius = min(stroke_radius(stroke, grid), LARGEST_RADIUS)
    kept, drawn = _sides(mask, stroke, grow_box(stroke.box, 2 * BESIDE * radius, grid))
    if not kept.any():
        return nothing
    depth = float(distance_map(kept, grid.spacing)[drawn].max())
    deviation = WIDTH * min(radius, DEPTHS * depth)
    box = grow_box(stroke.box, _REACH * deviation, grid)
    kept, drawn = _sides(mask, stroke, box)
    if not kept.any():
        return nothing
    beyond, beside = distance_map(kept, grid.spacing), distance_map(drawn, grid.spacing)
    moved = ~kept & (beyond <= SHARE * depth * np.exp(-np.square(beside / deviation) / 2))
    suffices = depth <= BESIDE * radius
    if not suffices:
        moved &= _more_like(volume[region_of(box)], drawn, ~kept & ~moved & ~drawn)
    return MovedBorder(box, moved, suffices)


def stroke_radius(stroke: Stroke, grid: Grid) -> float:
    """Return the radius (mm) of a stroke across its length: that of a disc which spreads as far."""
    spacing = np.array(grid.spacing[::-1])
    places = np.argwhere(stroke.voxels) * spacing
    covariance = np.cov(places.T) if len(places) > 1 else np.zeros((3, 3))
    # Each voxel spreads over its own extent.
    spread = np.linalg.eigvalsh(covariance + np.diag(np.square(spacing) / 12))
    return float(_DISC * np.sqrt(spread[1]))


def _sides(mask: NDArray[np.bool_], stroke: Stroke, box: Box) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what the stroke brings its border away from, and the stroke, both (z, y, x) in box."""
    part = mask[region_of(box)]
    drawn = np.zeros_like(part)
    drawn[region_of(stroke.box, box)] = stroke.voxels
    kept = part if stroke.include else ~part
    # The Segment Editor has painted already.
    return (kept & ~drawn if kept[drawn].all() else kept), drawn


def _more_like(values: NDArray[Any], these: NDArray[np.bool_], those: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where values are no farther from the mean of these than from that of those; everywhere without those."""
    if not those.any():
        return ~those
    one, other = (float(values[part].mean(dtype=np.float64)) for part in (these, those))
    return np.abs(values - one) <= np.abs(values - other)
