"""Space-to-depth and depth-to-space: full resolution as channels of half resolution, and back; nothing is lost.

Source: Shi et al. 2016, sub-pixel convolution, in three dimensions. The eight voxels of a 2x2x2 block become the
outer part of the channel index, so that in a channels-last tensor neighbours along x stay side by side in memory.
"""

from __future__ import annotations

from torch import Tensor


def space_to_depth(x: Tensor) -> Tensor:
    """Return (B, C, 2z, 2y, 2x) as (B, 8 C, z, y, x); channel (4 dz + 2 dy + dx) C + c holds offset (dz, dy, dx)."""
    batch, channels, depth, height, width = x.shape
    blocks = x.reshape(batch, channels, depth // 2, 2, height // 2, 2, width // 2, 2)
    return blocks.permute(0, 3, 5, 7, 1, 2, 4, 6).reshape(batch, 8 * channels, depth // 2, height // 2, width // 2)


def depth_to_space(x: Tensor) -> Tensor:
    """Return (B, 8 C, z, y, x) as (B, C, 2z, 2y, 2x): the inverse of space_to_depth."""
    batch, channels, depth, height, width = x.shape
    blocks = x.reshape(batch, 2, 2, 2, channels // 8, depth, height, width)
    return blocks.permute(0, 4, 5, 1, 6, 2, 7, 3).reshape(batch, channels // 8, 2 * depth, 2 * height, 2 * width)
