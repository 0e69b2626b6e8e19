"""Smooth random fields: cubic B-splines over coarse control points, as three small matrix products."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def control_points(size: int, spacing: float, distance: float) -> int:
    """Control points along an axis of size voxels so that they lie about distance mm apart (at least 4)."""
    return max(4, round((size - 1) * spacing / distance) + 3)


def spline_matrix(size: int, points: int, device: torch.device) -> torch.Tensor:
    """Weights (size, points) of the uniform cubic B-spline that spans size voxels; every row sums to one."""
    place = torch.linspace(0.0, float(points - 3), size, device=device, dtype=torch.float32)
    distance = (place[:, None] + 1.0 - torch.arange(points, device=device, dtype=torch.float32)).abs()
    near = 2.0 / 3.0 - distance.square() + distance.pow(3) / 2.0
    far = (2.0 - distance).clamp(min=0.0).pow(3) / 6.0
    return torch.where(distance < 1.0, near, far)


def random_field(
    batch: int, channels: int, matrices: Sequence[torch.Tensor], generator: torch.Generator
) -> torch.Tensor:
    """Normal field (batch, channels, z, y, x) of mean zero and, over all voxels, standard deviation one."""
    along_z, along_y, along_x = matrices
    shape = (batch, channels, along_z.shape[1], along_y.shape[1], along_x.shape[1])
    values = torch.randn(shape, generator=generator, device=along_z.device)
    values = values @ along_x.T
    values = torch.einsum("bcijx,yj->bciyx", values, along_y)
    values = torch.einsum("bciyx,zi->bczyx", values, along_z)
    # Mixing independent control points lowers the variance by the mean square weight of each axis.
    variance = along_z.square().sum(1).mean() * along_y.square().sum(1).mean() * along_x.square().sum(1).mean()
    return values * variance.rsqrt()
