"""Blur and low resolution as one matrix per axis and sample.

Both act on each axis alone, so a sample's filter along an axis of n voxels is an n x n matrix. Three
batched matrix products then filter a whole batch, each sample by its own strength, without a loop and
without the slow depthwise 3D convolutions.
"""

from __future__ import annotations

import torch


def blur_matrices(size: int, sigma: torch.Tensor) -> torch.Tensor:
    """Gaussian filters (B, size, size) for standard deviations sigma (B, 1) in voxels; zero leaves unchanged."""
    index = torch.arange(size, device=sigma.device, dtype=torch.float32)
    distance = (index[:, None] - index[None, :]).square()
    weights = torch.exp(-distance / (2 * sigma.clamp(min=1e-2).square())[..., None])
    return weights / weights.sum(dim=-1, keepdim=True)


def low_resolution_matrices(size: int, factor: torch.Tensor) -> torch.Tensor:
    """Filters (B, size, size) that average blocks of factor (B, 1) voxels and interpolate between them.

    A factor of one leaves the volume unchanged.
    """
    return interpolation_matrices(size, factor) @ averaging_matrices(size, factor, factor)


def averaging_matrices(size: int, factor: torch.Tensor, thickness: torch.Tensor) -> torch.Tensor:
    """Filters (B, size, size) to coarse voxels factor (B, 1) voxels apart, each a mean over thickness (B, 1) voxels.

    Coarse voxel k is row k; rows beyond the last coarse voxel mean nothing and are read by nobody.
    """
    index = torch.arange(size, device=factor.device, dtype=torch.float32)
    # Coarse voxel k is centred at (k + 0.5) * factor - 0.5 and averages what lies within half a thickness of it.
    centres = (index + 0.5) * factor - 0.5
    reach = (thickness[..., None] + 1) / 2 - (index[None, None, :] - centres[..., None]).abs()
    average = reach.clamp(min=0, max=1)
    return average / average.sum(dim=-1, keepdim=True).clamp(min=1e-6)


def interpolation_matrices(size: int, factor: torch.Tensor) -> torch.Tensor:
    """Linear interpolation (B, size, size) back from coarse voxels that lie factor (B, 1) voxels apart."""
    index = torch.arange(size, device=factor.device, dtype=torch.float32)
    place = (index[None, :] + 0.5) / factor - 0.5
    count = torch.ceil(size / factor)
    place = torch.minimum(place.clamp(min=0), count - 1)
    return (1 - (place[..., None] - index[None, None, :]).abs()).clamp(min=0)


def filter_axes(images: torch.Tensor, matrices: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Images (B, C, z, y, x) filtered by matrices (B, n, n) along z, y and x."""
    along_z, along_y, along_x = matrices
    images = images @ along_x[:, None, None].transpose(-1, -2)
    images = along_y[:, None, None] @ images
    batch, channels, size, height, width = images.shape
    return (along_z[:, None] @ images.reshape(batch, channels, size, -1)).reshape(batch, channels, size, height, width)
