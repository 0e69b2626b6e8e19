"""How a stroke on a segment moves the segment's border beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, grow_box, region_of
from LightMedSegLib.core.itk_filters import blurred, distance_map
from LightMedSegLib.interaction.strokes import Stroke

SHARE = 0.8
"""How far from following a voxel right beside a stroke may be, as a share of the mean of the stroke's own voxels."""

WIDTH = 2.5
"""Standard deviation of the border's move along it, in radii of the stroke."""

DEPTHS = 2.5
"""The radius of a stroke counts up to so many times how far it goes beyond the border: broad strokes are flat."""

SHELTER = 0.8
"""What the shelter of a voxel counts beside its distance from the border: a hollow fills before a plain rises."""

THIN_SHELTER = 0.6
"""The same in thin segments."""

THIN_VOXELS = (3.0, 6.0)
"""Shelter counts THIN_SHELTER in segments up to the first of these depths in voxels, and SHELTER from the second on."""

BLUR = 1.25
"""Standard deviation of the blur of a segment whose values tell shelter, in voxels of a cube of the same volume."""

THIN = 0.4
"""The blur is at most this share of the segment's depth: a wider one shelters all of a thin segment from outside."""

LOOKS = 0.8
"""What it counts whether a voxel looks like the stroke (-0.5) or like what stays beyond it (0.5)."""

BESIDE = 4.0
"""A stroke that goes at most so many of its radii beyond the border corrects the border, and nothing else."""

THICKNESS = 0.8
"""A stroke that goes farther beyond the border than this share of the segment's depth moves no border."""

MOST_VOXELS = 6_000_000
"""The border moves only in a part around a stroke of at most so many voxels, or not at all: more take too long."""

_REACH = 2.5
"""No voxel follows that is so many standard deviations from a stroke."""

_NEAR = 8.0
"""The depths of segment and stroke are measured so many radii around the stroke, or half as many where it is large."""

_LAYER = 3.0
"""What stays beyond a stroke is seen so many voxels deep."""

_LEAST_BARE = 0.02
_TINY = 1e-6
_DISC = 2.0
"""Radius of a disc in standard deviations of its points along one axis."""


@dataclass(frozen=True)
class MovedBorder:
    """What a stroke changes beside itself: voxels (z, y, x) of a box. suffices: the stroke corrects only the border."""

    box: Box
    voxels: NDArray[np.bool_]
    suffices: bool


def moved_border(
    volume: NDArray[Any], mask: NDArray[np.bool_], stroke: Stroke, grid: Grid, made: bool = False
) -> MovedBorder:
    """Return what changes around a stroke where the border of a segment moves with it.

    volume: grey values (z, y, x). mask: the segment (z, y, x) before the stroke, or after it if the stroke is made. A
    painted stroke moves its border outwards, an erased one inwards. Nearness to the segment, shelter by it and looks
    decide which voxels follow, measured by the stroke's own voxels. Where a stroke reaches out (not suffices), only
    voxels follow that look no less like the stroke than like what stays around it. Nothing moves if the stroke changes
    nothing, is far from the border, cuts or extends the segment instead of correcting it, or is very large.
    """
    nothing = MovedBorder(stroke.box, np.zeros_like(stroke.voxels), suffices=False)
    radius = stroke_radius(stroke, grid)
    near = _largest_box(stroke, grid, _NEAR * radius, _NEAR / 2 * radius)
    if near is None:
        return nothing
    kept, drawn = _sides(mask, stroke, near, made)
    segment = kept if stroke.include else ~kept
    if not kept.any() or kept[drawn].all():
        return nothing
    depth = float(distance_map(kept, grid.spacing)[drawn].max())
    thick = float(distance_map(~segment, grid.spacing).max())
    if depth > THICKNESS * thick:
        return nothing
    voxel = math.prod(grid.spacing) ** (1 / 3)
    deviation = WIDTH * min(radius, DEPTHS * depth)
    box = _largest_box(stroke, grid, _REACH * deviation) or near
    kept, drawn = _sides(mask, stroke, box, made)
    values = volume[region_of(box)]
    beyond, beside = distance_map(kept, grid.spacing), distance_map(drawn, grid.spacing) / np.float32(deviation)
    # A voxel deeper than the stroke does not follow.
    moved = ~kept & (beyond <= depth) & (beside <= _REACH)
    bare = np.maximum(0.5 - blurred(kept, min(BLUR * voxel, THIN * thick), grid.spacing), 0)
    stays = (beyond > depth) & (beyond <= depth + _LAYER * voxel)
    new = drawn & ~kept
    shelter = float(np.interp(thick / voxel, THIN_VOXELS, (THIN_SHELTER, SHELTER)))
    far = (1 - shelter) * beyond[moved] / beyond[new].mean()
    far += shelter * bare[moved] / max(float(bare[new].mean()), _LEAST_BARE)
    far += LOOKS * _unlikeness(values[moved], values[new], values[stays])
    moved[moved] = far <= SHARE * np.exp(-np.square(beside[moved]) / 2)
    suffices = depth <= BESIDE * radius
    if not suffices:
        moved &= _more_like(values, drawn, ~kept & ~moved & ~drawn)
    return MovedBorder(box, moved, suffices)


def stroke_radius(stroke: Stroke, grid: Grid) -> float:
    """Return the radius (mm) of a stroke across its length: that of a disc which spreads as far."""
    spacing = np.array(grid.spacing[::-1])
    places = np.argwhere(stroke.voxels) * spacing
    covariance = np.cov(places.T) if len(places) > 1 else np.zeros((3, 3))
    # Each voxel spreads over its own extent.
    spread = np.linalg.eigvalsh(covariance + np.diag(np.square(spacing) / 12))
    return float(_DISC * np.sqrt(spread[1]))


def _unlikeness(values: NDArray[Any], these: NDArray[Any], those: NDArray[Any]) -> NDArray[np.float32]:
    """Return -0.5 where values are as these in the mean, 0.5 where as those; 0 where that is unknown. All are (n,)."""
    these, those = (part[np.isfinite(part)] for part in (these, those))
    known = np.isfinite(values)
    unlike = np.zeros(values.shape, dtype=np.float32)
    if not these.size or not those.size:
        return unlike
    one, other = (np.abs(values[known] - part.mean(dtype=np.float64)) for part in (these, those))
    unlike[known] = (one - other) / np.maximum(2 * (one + other), _TINY)
    return unlike


def _sides(
    mask: NDArray[np.bool_], stroke: Stroke, box: Box, made: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what was as the stroke wants it before the stroke, and the stroke, both (z, y, x) in box."""
    part = mask[region_of(box)]
    drawn = np.zeros_like(part)
    drawn[region_of(stroke.box, box)] = stroke.voxels
    kept = part if stroke.include else ~part
    return (kept & ~drawn if made else kept), drawn


def _largest_box(stroke: Stroke, grid: Grid, *margins: float) -> Box | None:
    """Return the first box around a stroke, with these margins (mm), that has at most MOST_VOXELS voxels."""
    boxes = (grow_box(stroke.box, margin, grid) for margin in margins)
    return next((box for box in boxes if math.prod(last - first for first, last in box) <= MOST_VOXELS), None)


def _more_like(values: NDArray[Any], these: NDArray[np.bool_], those: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where values are no farther from the mean of these than from that of those; everywhere without those."""
    if not those.any():
        return ~those
    one, other = (float(values[part].mean(dtype=np.float64)) for part in (these, those))
    return np.abs(values - one) <= np.abs(values - other)
