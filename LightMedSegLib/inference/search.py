"""Coarse to fine: where a model's structures lie, seen on the larger voxels of its preview.

Most of a whole-head scan is not brain. One pass over larger voxels finds what the model looks for; the windows of the
full pass then cover that alone, each with the structures in its middle, as in training.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, bounding_box, grow_box, map_to_model_grid
from LightMedSegLib.inference.sliding_window.windows import (
    GROWTH_STEP,
    WindowRule,
    grown_patch,
    plan_layout,
    window_starts,
)

if TYPE_CHECKING:
    from LightMedSegLib.model.card import InputSpec

MARGIN_MM = 8.0
"""Room around what was found, for what a coarse pass overlooks at the edge and for surroundings to be seen."""

LEAST_MARGIN_MM = 4.0
"""Along an axis where this margin instead of MARGIN_MM needs fewer or smaller windows, it is enough: twice a preview's
voxel."""

WORTH_IT_PATCHES = 5.0
"""A search is expected to pay where the windows of the full pass together have this many times the voxels of a patch.

It costs one or two patches, and leaves one to four.
"""

WORTH_IT_GROWN = 2.5
"""The same where windows grow, so that a search leaves one or two patches."""

_SEARCH_SHARE = 0.8
"""Length of the least window of a search, relative to the patch."""


def is_worth_it(volume: Grid, box: Box, spec: InputSpec, overlap: float) -> bool:
    """Whether a search is expected to save more windows of the full pass over box than it costs."""
    if spec.preview_spacing is None or spec.preview_spacing == spec.spacing:
        return False
    shape = map_to_model_grid(volume, spec.spacing, spec.orientation, box).model.shape
    layout = plan_layout(shape, WindowRule.of(spec, 1, 2, overlap))
    least = WORTH_IT_PATCHES if spec.largest_patch is None else WORTH_IT_GROWN
    return len(layout.starts) * math.prod(layout.window) >= least * math.prod(spec.patch)


def coarse_input(spec: InputSpec) -> InputSpec:
    """The model's input with the voxels of its preview, for a search: its windows may be smaller than a patch.

    Windows of 0.8 of the patch's length find the same box as those of the whole length. A preview, which is looked at,
    needs the air around the head.
    """
    assert spec.preview_spacing is not None
    coarse = replace(spec, spacing=spec.preview_spacing, largest_patch=None)
    if any(size % GROWTH_STEP for size in spec.patch):
        return coarse
    z, y, x = (max(GROWTH_STEP, int(_SEARCH_SHARE * size) // GROWTH_STEP * GROWTH_STEP) for size in spec.patch)
    return replace(coarse, patch=(z, y, x), largest_patch=spec.patch)


def surroundings(labels: NDArray[Any], volume: Grid, box: Box, spec: InputSpec, overlap: float) -> Box:
    """The part of box that the full pass should look at: everything labelled in labels (z, y, x), and what is near.

    It is as large as its windows allow, since surroundings that cost no further window help. box itself where nothing
    is labelled.
    """
    k, j, i = bounding_box(labels)
    if not k.stop:
        return box
    found: Box = ((i.start, i.stop), (j.start, j.stop), (k.start, k.stop))
    roomy, tight = (grow_box(found, margin, volume) for margin in (MARGIN_MM, LEAST_MARGIN_MM))
    roomy_map, tight_map = (map_to_model_grid(volume, spec.spacing, spec.orientation, part) for part in (roomy, tight))
    filled = list(roomy)
    for dim in range(3):
        axis = 2 - roomy_map.order.dims[dim]
        long, short = (grid_map.model.shape[dim] for grid_map in (roomy_map, tight_map))
        saves = _looked_at(short, spec, dim, overlap) < _looked_at(long, spec, dim, overlap)
        (first, last), length = (tight[axis], short) if saves else (roomy[axis], long)
        voxels = int(_free_room(length, spec, dim, overlap) * roomy_map.axes[axis].ratio / 2)
        filled[axis] = (first - voxels, last + voxels)
    x, y, z = ((max(a, c), min(b, d)) for (a, b), (c, d) in zip(filled, box, strict=True))
    return (x, y, z)


def _patch(length: int, spec: InputSpec, dim: int) -> int:
    """Length of the windows along an axis of that length."""
    if spec.largest_patch is None:
        return spec.patch[dim]
    lengths = (length, length, length)
    return grown_patch(lengths, spec.patch, spec.largest_patch)[dim]


def _looked_at(length: int, spec: InputSpec, dim: int, overlap: float) -> int:
    """Voxels of all windows along an axis of that length."""
    patch = _patch(length, spec, dim)
    return patch * len(window_starts(max(length, patch), patch, overlap))


def _free_room(length: int, spec: InputSpec, dim: int, overlap: float) -> int:
    """Voxels that length can grow by without another window, or a larger one."""
    patch = _patch(length, spec, dim)
    others = _looked_at(length, spec, dim, overlap) // patch - 1
    return max(0, patch + int(others * patch * (1 - overlap)) - length)
