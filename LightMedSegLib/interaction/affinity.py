"""Geodesic affinity to the prompts: which voxels a path of even brightness joins to an include or exclude prompt."""

from __future__ import annotations

import torch
from torch.nn import functional

STEP_COST = 0.03
EDGE_COST = 2.0
LARGEST_DIFFERENCE = 2.0
SWEEPS = 2
_FAR = 1000.0


def affinity(image: torch.Tensor, include: torch.Tensor, exclude: torch.Tensor) -> torch.Tensor:
    """Return exp(-d to include) - exp(-d to exclude), from -1 to 1; all tensors (B, 1, z, y, x).

    image: normalised, standard deviation 1. The distances are geodesic, on a grid of half the resolution: a step costs
    STEP_COST, and EDGE_COST times the squared difference of brightness. Without prompts the affinity is 0.
    """
    size = image.shape[2:]
    small = functional.avg_pool3d(image, 2, ceil_mode=True)[:, 0]
    seeds = functional.max_pool3d(torch.cat([include, exclude], dim=1), 2, ceil_mode=True)
    near = (-geodesic_distance(small, seeds > 0)).exp()
    difference = near[:, :1] - near[:, 1:]
    return functional.interpolate(difference, size=size, mode="trilinear", align_corners=False)


def geodesic_distance(image: torch.Tensor, seeds: torch.Tensor, sweeps: int = SWEEPS) -> torch.Tensor:
    """Return the distance (B, C, z, y, x) of each voxel to the nearest seed, bool (B, C, z, y, x), of its channel.

    image: (B, z, y, x). A sweep passes distances along whole lines, in both directions of each axis, so a few sweeps
    reach voxels around several corners.
    """
    distance = torch.where(seeds, 0.0, _FAR)
    lengths = [_lengths(image, axis)[:, None] for axis in (1, 2, 3)]
    for _ in range(sweeps):
        for axis, length in zip((2, 3, 4), lengths, strict=True):
            # The shortest way from an earlier voxel of the line: length(here) + min of distance - length(there).
            onward = (distance - length).cummin(dim=axis).values + length
            backward = (distance + length).flip(axis).cummin(dim=axis).values.flip(axis) - length
            distance = torch.minimum(onward, backward)
    return distance.clamp(min=0)


def _lengths(image: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the cost of the way from the first voxel of each line along axis to every voxel of it."""
    change = image.diff(dim=axis).abs().clamp(max=LARGEST_DIFFERENCE)
    cost = STEP_COST + EDGE_COST * change.square()
    return torch.cat([torch.zeros_like(image.narrow(axis, 0, 1)), cost.cumsum(dim=axis)], dim=axis)
