"""What prompts and edges alone say of a window: random walks from the prompts, beside the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region, bounding_box
from LightMedSegLib.interaction.random_walk import random_walk

SIDE = 64
"""Grid points along each side of the part of the window that a new object is looked for in, unless prompts lie
farther apart."""

THICKNESSES = 2.0
LEAST_REACH, MOST_REACH = 2.0, 16.0
"""A stroke on a segment reaches as far as it is thick, twice its depth, within these limits in grid points."""

_CLIPPED = (0.5, 99.5)


def new_object(
    image: NDArray[np.float32], include: NDArray[np.bool_], exclude: NDArray[np.bool_], inside: Region
) -> NDArray[np.float32]:
    """Return the probability (z, y, x) that a grid point belongs to the object that the prompts mark.

    image, include, exclude: (z, y, x) on the window's grid; inside: the part of it that lies in the volume. The faces
    of the part that is looked at count as excluded where the volume goes on behind them.
    """
    result = np.zeros(image.shape, dtype=np.float32)
    part = _around_prompts(include, exclude, inside)
    seeds, outside = include[part], exclude[part] & ~include[part]
    if seeds.any():
        outside = outside | (_faces(part, inside) & ~seeds)
        result[part] = random_walk(_brightness(image[part], seeds), seeds, outside)
    return result


def corrected(
    image: NDArray[np.float32],
    present: NDArray[np.bool_],
    newest: NDArray[np.bool_],
    opposite: NDArray[np.bool_],
    include: bool,
) -> NDArray[np.float32]:
    """Return the probability (z, y, x) that a grid point belongs to a segment after a stroke on it.

    present: the segment before. newest: the stroke, which paints (include) or erases. opposite: prompts of the other
    kind. Far from the stroke the segment stays; near it, edges part what the stroke changes from the rest.
    """
    result = present.astype(np.float32)
    if not newest.any():
        return result
    margin = int(MOST_REACH) + 1
    z, y, x = (slice(max(0, one.start - margin), one.stop + margin) for one in bounding_box(newest))
    part = (z, y, x)
    stroke, before = newest[part], present[part]
    depth = _depth(stroke)
    far = depth >= float(np.clip(-THICKNESSES * depth.min(), LEAST_REACH, MOST_REACH))
    # The stroke and what is already as it wants it, against what it must leave as it is.
    already = before if include else ~before
    left = (opposite[part] | (far & ~already)) & ~stroke
    gained = random_walk(_brightness(image[part], stroke), stroke | (already & ~left), left)
    result[part] = gained if include else 1 - gained
    return result


def _around_prompts(include: NDArray[np.bool_], exclude: NDArray[np.bool_], inside: Region) -> Region:
    seeds = bounding_box(include)
    every = bounding_box(include | exclude)
    parts = []
    for seed, known, limits in zip(seeds, every, inside, strict=True):
        first = min((seed.start + seed.stop - SIDE) // 2, known.start)
        last = max((seed.start + seed.stop + SIDE) // 2, known.stop)
        parts.append(slice(max(first, limits.start), max(min(last, limits.stop), limits.start + 1)))
    return parts[0], parts[1], parts[2]


def _faces(part: Region, inside: Region) -> NDArray[np.bool_]:
    """Return the faces of part behind which the volume goes on; all of them if it does so nowhere."""
    ends = [
        (axis, end)
        for axis, (seen, limits) in enumerate(zip(part, inside, strict=True))
        for end, goes_on in ((0, seen.start > limits.start), (-1, seen.stop < limits.stop))
        if goes_on
    ]
    faces = np.zeros([seen.stop - seen.start for seen in part], dtype=bool)
    for axis, end in ends or [(axis, end) for axis in range(3) for end in (0, -1)]:
        np.moveaxis(faces, axis, 0)[end] = True
    return faces


def _brightness(image: NDArray[np.float32], seeds: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the brightness from 0 to 1: half of the image's range on either side of the seeds' mean."""
    low, high = np.percentile(image[::2, ::2, ::2], _CLIPPED)
    middle = float(np.clip(image[seeds], low, high).mean())
    return np.clip((image - middle) / max(float(high - low), 1e-6) + 0.5, 0, 1).astype(np.float32)


def _depth(marked: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each grid point (z, y, x) from the border of what is marked, negative inside."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(marked.view(np.uint8))
    return sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(image, squaredDistance=False))
