"""Geodesic distances: how even the brightness is on the way to a voxel."""

from __future__ import annotations

import torch

STEP_COST = 0.03
EDGE_COST = 2.0
LARGEST_DIFFERENCE = 2.0
SWEEPS = 2
_FAR = 1000.0


def geodesic_distance(image: torch.Tensor, seeds: torch.Tensor, sweeps: int = SWEEPS) -> torch.Tensor:
    """Return the distance (B, C, z, y, x) of each voxel to the nearest seed, bool (B, C, z, y, x), of its channel.

    image: (B, z, y, x), normalised, standard deviation 1. A step costs STEP_COST, and EDGE_COST times the squared
    difference of brightness. A sweep passes distances along whole lines, in both directions of each axis, so a few
    sweeps reach voxels around several corners.
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
