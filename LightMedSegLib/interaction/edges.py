"""What prompts and edges alone say of a window, for the network and beside it: random walks from the prompts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from LightMedSegLib.interaction.prompt_values import NEWEST
from LightMedSegLib.interaction.random_walk import random_walk
from LightMedSegLib.interaction.window import View

SIDE = 62
"""Grid points along each side of the part of the window that a new object is looked for in, unless prompts lie
farther apart."""

THICKNESSES = 2.0
LEAST_REACH, MOST_REACH = 2, 16
"""A stroke on a segment reaches as far as it is thick, twice its depth, within these limits in grid points."""

_CLIPPED = (0.005, 0.995)
_AXES = (2, 3, 4)


class Prompts(NamedTuple):
    """What a view has beside its image, all (1, 1, z, y, x) on one device; present is bool, the others float32."""

    present: torch.Tensor
    include: torch.Tensor
    exclude: torch.Tensor


def prompts_on(view: View, device: torch.device | str) -> Prompts:
    """Return the prompts of a view on a device."""
    return Prompts(*(on_device(one, device) for one in (view.present, view.include, view.exclude)))


def by_edges(normal: torch.Tensor, prompts: Prompts, view: View) -> torch.Tensor:
    """Return the probability that a grid point belongs to the object by its prompts and edges.

    normal: the view's image as normalize_window makes it; the result has its shape, (1, 1, z, y, x), and device.
    prompts: those of the view, on the same device.
    """
    present, include, exclude = prompts
    if view.drawn is None:
        within = np.zeros(view.image.shape, dtype=bool)
        within[view.inside] = True
        return new_object(normal, include, exclude, on_device(within, normal.device))
    return corrected(normal, present, include, exclude, on_device(view.drawn, normal.device))


def on_device(array: NDArray[np.generic], device: torch.device | str) -> torch.Tensor:
    """Return an array (z, y, x) as a batch of one channel, (1, 1, z, y, x)."""
    return torch.from_numpy(np.ascontiguousarray(array))[None, None].to(device)


class Walk(NamedTuple):
    """What random_walk needs, all (B, 1, z, y, x)."""

    brightness: torch.Tensor
    inside: torch.Tensor
    outside: torch.Tensor
    within: torch.Tensor


def new_object(image: torch.Tensor, include: torch.Tensor, exclude: torch.Tensor, within: torch.Tensor) -> torch.Tensor:
    """Return the probability that a grid point belongs to the object that the prompts mark, float32.

    All arguments and the result are (1, 1, z, y, x) on the window's grid; see walk_to_new.
    """
    # Only the part that is looked at: the rest costs time and stays 0.
    cut = _cut_to(_widened_box(_around_prompts(include, exclude), 1))
    result = torch.zeros_like(image)
    result[cut] = random_walk(*walk_to_new(image[cut], include[cut], exclude[cut], within[cut]))
    return result


def walk_to_new(image: torch.Tensor, include: torch.Tensor, exclude: torch.Tensor, within: torch.Tensor) -> Walk:
    """Return the walk that finds a new object around its prompts; what lies beyond counts as excluded.

    image: that of normalize_window, float32. include, exclude: the prompts' channels. within: bool, the points inside
    the volume. All are (B, 1, z, y, x). Where all of the volume is looked at its border is excluded.
    """
    part = _around_prompts(include, exclude)
    seeds, beyond = (include > 0) & within, within & ~part
    outside = (exclude > 0) | torch.where(_any(beyond), beyond, _border(within))
    return Walk(_brightness(image, part & within, seeds), seeds, outside, within)


def corrected(
    image: torch.Tensor, present: torch.Tensor, include: torch.Tensor, exclude: torch.Tensor, drawn: torch.Tensor
) -> torch.Tensor:
    """Return the probability that a grid point belongs to a segment after the newest prompt, a stroke on it.

    All arguments and the result are (1, 1, z, y, x) on the window's grid; see walk_from_stroke.
    """
    near = _widened_box(drawn, MOST_REACH + 1)
    paints = _any(include >= NEWEST)
    opposite = torch.where(paints, exclude, include) > 0
    result = torch.where(paints, present & ~opposite, present | opposite).float()
    if drawn.any():
        cut = _cut_to(near)
        gained = random_walk(*walk_from_stroke(image[cut], present[cut], include[cut], exclude[cut], drawn[cut]))
        result[cut] = torch.where(paints, gained, 1 - gained)
    return result


def walk_from_stroke(
    image: torch.Tensor, present: torch.Tensor, include: torch.Tensor, exclude: torch.Tensor, drawn: torch.Tensor
) -> Walk:
    """Return the walk from the newest prompt on a segment, and from what is already as that prompt wants it.

    present: bool, the segment before. drawn: bool, the stroke itself, without the ball that stands for a small one in
    its channel: a walk from the ball would change what the user left as it is. The others are as in walk_to_new. The
    walk ends at what the stroke must leave as it is: older prompts of the other kind, and what lies far from it. After
    an exclude prompt it leads out of the segment.
    """
    paints = _any(include >= NEWEST)
    opposite = torch.where(paints, exclude, include) > 0
    already = torch.where(paints, present, ~present)
    left = (opposite | (_far_from(drawn) & ~already)) & ~drawn
    near = _widened_box(drawn, MOST_REACH + 1)
    return Walk(_brightness(image, near, drawn), drawn | (already & ~left), left, torch.ones_like(left))


def _around_prompts(include: torch.Tensor, exclude: torch.Tensor) -> torch.Tensor:
    """Return the box, bool (B, 1, z, y, x), of SIDE points around the include prompts that also holds all others."""
    box = torch.ones_like(include, dtype=torch.bool)
    included = include > 0
    extents = zip(_AXES, _extent(included), _extent(included | (exclude > 0)), strict=True)
    for axis, (start, stop), (first, last) in extents:
        places = torch.arange(include.shape[axis], device=include.device)
        first = torch.minimum((start + stop - SIDE).div(2, rounding_mode="floor"), first)
        last = torch.maximum((start + stop + SIDE).div(2, rounding_mode="floor"), last)
        box = box & ((places >= first) & (places < last)).reshape(_along(len(include), axis))
    return box


def _widened_box(marked: torch.Tensor, margin: int) -> torch.Tensor:
    """Return the smallest boxes, bool (B, 1, z, y, x), that hold what is marked, wider by margin on each side."""
    box = _any(marked).expand_as(marked)
    for axis, (first, last) in zip(_AXES, _extent(marked), strict=True):
        places = torch.arange(marked.shape[axis], device=marked.device)
        box = box & ((places >= first - margin) & (places < last + margin)).reshape(_along(len(marked), axis))
    return box


def _extent(marked: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return where along z, y and x the marked points of each sample begin and end, each int64 (B, 1)."""
    rows, columns = marked[:, 0].any(dim=3), marked[:, 0].any(dim=1)
    ends = []
    for found in (rows.any(dim=2), columns.any(dim=2), columns.any(dim=1)):
        found = found.int()
        ends.append((found.argmax(dim=1, keepdim=True), found.shape[1] - found.flip(1).argmax(dim=1, keepdim=True)))
    return ends


def _along(batch: int, axis: int) -> tuple[int, ...]:
    return (batch, *[-1 if axis == other else 1 for other in (1, *_AXES)])


def _any(marked: torch.Tensor) -> torch.Tensor:
    """Return whether each sample has a marked point, bool (B, 1, 1, 1, 1)."""
    return marked.flatten(1).any(dim=1).reshape(-1, 1, 1, 1, 1)


def _border(within: torch.Tensor) -> torch.Tensor:
    """Return the points of within that have a neighbour outside, beyond the window too."""
    missing = functional.pad(1.0 - within.float(), [1] * 6, value=1.0)
    return within & (functional.max_pool3d(missing, 3, 1) > 0)


def _cut_to(box: torch.Tensor) -> tuple[slice, ...]:
    """Return where a single box lies, bool (1, 1, z, y, x), from even points on, as _brightness sees every second."""
    ends = [[int(end) for end in extent] for extent in _extent(box)]
    return (slice(None), slice(None), *(slice(first - first % 2, last) for first, last in ends))


def _brightness(image: torch.Tensor, part: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
    """Return the brightness from 0 to 1: half of the range in part on either side of the seeds' mean."""
    seen = torch.where(part, image, torch.nan)[..., ::2, ::2, ::2].flatten(1)
    low, high = (seen.nanquantile(share, dim=1).nan_to_num(0.0).reshape(-1, 1, 1, 1, 1) for share in _CLIPPED)
    count = seeds.sum(dim=(1, *_AXES), keepdim=True).clamp(min=1)
    middle = (torch.minimum(torch.maximum(image, low), high) * seeds).sum(dim=(1, *_AXES), keepdim=True) / count
    return ((image - middle) / (high - low).clamp(min=1e-6) + 0.5).clamp(0, 1)


def _far_from(stroke: torch.Tensor) -> torch.Tensor:
    """Return the points farther from a stroke than it reaches, bool (B, 1, z, y, x)."""
    most = round(MOST_REACH / THICKNESSES) + 1
    depth = torch.where(stroke, _squared_distance(~stroke, most), 0.0).amax(dim=_AXES, keepdim=True).sqrt() - 1
    reach = (THICKNESSES * depth).clamp(LEAST_REACH, MOST_REACH)
    return _squared_distance(stroke, MOST_REACH) >= reach.square()


def _squared_distance(marked: torch.Tensor, most: int) -> torch.Tensor:
    """Return the squared distance of each point from the nearest marked one, exact up to a distance of most."""
    # Whole numbers up to 2,048 are exact in half precision, which a device handles faster.
    kind = torch.float32 if marked.device.type == "cpu" else torch.float16
    distance = torch.where(marked, 0.0, float((most + 1) ** 2)).to(kind)
    for axis in _AXES:
        nearest = distance.clone()
        for step in range(1, min(most, marked.shape[axis] - 1) + 1):
            count, farther = marked.shape[axis] - step, distance + step**2
            for to, start in ((step, 0), (0, step)):
                part = nearest.narrow(axis, to, count)
                torch.minimum(part, farther.narrow(axis, start, count), out=part)
        distance = nearest
    return distance.float()
