"""A new object by its prompts and edges alone: the random walker around the prompts of a window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region, bounding_box
from LightMedSegLib.interaction.random_walk import random_walk

SIDE = 64
"""Grid points along each side of the part of the window that is looked at; it grows until it holds all prompts."""

_CLIPPED = (0.5, 99.5)


def seeded_object(
    image: NDArray[np.float32], include: NDArray[np.bool_], exclude: NDArray[np.bool_], inside: Region
) -> NDArray[np.float32]:
    """Return the probability (z, y, x) that a grid point belongs to the object that the prompts mark.

    image, include, exclude: (z, y, x) on the window's grid; inside: the part of it that lies in the volume. The faces
    of the part that is looked at count as excluded where the volume goes on behind them.
    """
    result = np.zeros(image.shape, dtype=np.float32)
    part = _part(include, exclude, inside)
    seeds, outside = include[part], exclude[part] & ~include[part]
    if not seeds.any():
        return result
    outside = outside | (_faces(part, inside) & ~seeds)
    result[part] = random_walk(_around(image[part], seeds), seeds, outside)
    return result


def _part(include: NDArray[np.bool_], exclude: NDArray[np.bool_], inside: Region) -> Region:
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


def _around(image: NDArray[np.float32], seeds: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the brightness from 0 to 1: half of the image's range on either side of the seeds' mean."""
    low, high = np.percentile(image[::2, ::2, ::2], _CLIPPED)
    middle = float(np.clip(image[seeds], low, high).mean())
    return np.clip((image - middle) / max(float(high - low), 1e-6) + 0.5, 0, 1).astype(np.float32)
