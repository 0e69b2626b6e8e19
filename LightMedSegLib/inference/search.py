"""Coarse to fine: where a model's structures lie, seen on the larger voxels of its preview.

Most of a whole-head scan is not brain. One pass over larger voxels finds what the model looks for; the windows of the
full pass then cover that alone, each with the structures in its middle, as in training.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, Grid, bounding_box, grow_box, map_to_model_grid
from LightMedSegLib.inference.sliding_window.windows import padded_shape, plan_windows, window_starts

if TYPE_CHECKING:
    from LightMedSegLib.model.card import InputSpec

MARGIN_MM = 8.0
"""Room around what was found, for what a coarse pass overlooks at the edge and for surroundings to be seen."""

LEAST_MARGIN_MM = 4.0
"""Along an axis where this instead of MARGIN_MM saves a row of windows, it is enough: twice a preview's voxel."""

WORTH_IT_WINDOWS = 5
"""The search takes about as long as one or two windows, and leaves one to four of them."""


def is_worth_it(volume: Grid, box: Box, spec: InputSpec, overlap: float) -> bool:
    """Whether a search is expected to save more windows of the full pass over box than it costs."""
    if spec.preview_spacing is None or spec.preview_spacing == spec.spacing:
        return False
    shape = map_to_model_grid(volume, spec.spacing, spec.orientation, box).model.shape
    return len(plan_windows(padded_shape(shape, spec.patch, 1), spec.patch, overlap)) >= WORTH_IT_WINDOWS


def coarse_input(spec: InputSpec) -> InputSpec:
    """The model's input with the voxels of its preview."""
    assert spec.preview_spacing is not None
    return replace(spec, spacing=spec.preview_spacing)


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
        patch = spec.patch[dim]
        long, short = (grid_map.model.shape[dim] for grid_map in (roomy_map, tight_map))
        saves = _windows(short, patch, overlap) < _windows(long, patch, overlap)
        (first, last), length = (tight[axis], short) if saves else (roomy[axis], long)
        voxels = int(_free_room(length, patch, overlap) * roomy_map.axes[axis].ratio / 2)
        filled[axis] = (first - voxels, last + voxels)
    x, y, z = ((max(a, c), min(b, d)) for (a, b), (c, d) in zip(filled, box, strict=True))
    return (x, y, z)


def _windows(length: int, patch: int, overlap: float) -> int:
    return len(window_starts(max(length, patch), patch, overlap))


def _free_room(length: int, patch: int, overlap: float) -> int:
    """Voxels that length can grow by without another window."""
    count = _windows(length, patch, overlap)
    return max(0, patch + int((count - 1) * patch * (1 - overlap)) - length)
