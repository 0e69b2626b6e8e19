"""Pseudo-objects: regions of even brightness of a real image, grown from a random voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from LightMedSegLib.training.prompting.geodesic import geodesic_distance

_CANDIDATES = 4096
_WALL = 2.0
"""Brightness that parts inside from outside: a path across such a wall is longer than _CUT_OFF."""
_CUT_OFF = 6.0
_WINDING_SWEEPS = 4
_BALLS = 0.3
_BALL_CONTRAST = 2.0
_LARGEST = 0.12


def region(image: torch.Tensor, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
    """Return a region, bool (1, 1, z, y, x), of a normalised image (1, 1, z, y, x).

    Most are the voxels of similar brightness that are joined to the seed, the others are geodesic balls.
    """
    small = functional.avg_pool3d(functional.avg_pool3d(image, 2), 3, stride=1, padding=1, count_include_pad=False)
    change = functional.max_pool3d(small, 3, 1, 1) + functional.max_pool3d(-small, 3, 1, 1)
    noise = torch.rand(small.shape, generator=generator, device=small.device)
    # A voxel of an even place that is not the dark surroundings, near the middle of the window.
    near = noise * _middle(small) - change - 0.5 * (small < -0.9)
    seeds = torch.zeros_like(small, dtype=torch.bool)
    seeds.view(-1)[near.flatten().argmax(dim=0, keepdim=True)] = True
    ball = random.random() < _BALLS
    grown_on = _BALL_CONTRAST * small
    if not ball:
        own = torch.where(seeds, small, 0.0).sum()
        grown_on = _WALL * ((small - own).abs() < random.uniform(0.15, 0.7)).float()
    distance = geodesic_distance(grown_on[:, 0], seeds)
    share = float(np.exp(random.uniform(np.log(0.002), np.log(0.06)))) if ball else _LARGEST
    stride = max(1, distance.numel() // _CANDIDATES)
    limit = torch.quantile(distance.flatten()[::stride], share).clamp(max=_CUT_OFF)
    found = (distance <= limit).float()
    for _ in range(2):
        found = (functional.avg_pool3d(found, 3, 1, 1) > 0.5).float()
    found = torch.maximum(found, functional.max_pool3d(seeds.float(), 5, 1, 2))
    return functional.interpolate(found, size=image.shape[2:], mode="trilinear", align_corners=False) > 0.5


def connected(inside: torch.Tensor, voxel: Sequence[int]) -> torch.Tensor:
    """Return the voxels of inside, bool (z, y, x), that are joined to voxel, or most of them where it winds a lot."""
    small = functional.max_pool3d(inside[None, None].float(), 2)
    seeds = torch.zeros_like(small, dtype=torch.bool)
    z, y, x = (place // 2 for place in voxel)
    seeds[0, 0, z, y, x] = True
    joined = geodesic_distance(_WALL * small[:, 0], seeds, _WINDING_SWEEPS) < _CUT_OFF
    return inside & (functional.interpolate(joined.float(), size=inside.shape, mode="nearest")[0, 0] > 0)


def _middle(small: torch.Tensor) -> torch.Tensor:
    """Return weights that fall from 1 in the middle to 0 at the faces."""
    weight = torch.ones((), device=small.device)
    for axis in (2, 3, 4):
        size = small.shape[axis]
        place = torch.arange(size, device=small.device, dtype=torch.float32)
        along = 1 - ((place - (size - 1) / 2) / (size / 2)).abs()
        weight = weight * along.reshape([-1 if number == axis else 1 for number in range(5)])
    return weight.pow(1 / 3)
