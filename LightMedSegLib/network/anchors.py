"""Global anchor detector: K points of the volume that later blocks refer to."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.normalization import GroupNorm


def axis_coordinates(length: int, like: Tensor) -> Tensor:
    """Centres of length voxels along one axis, normalised to (0, 1); float32, on the device of like."""
    return (torch.arange(length, device=like.device, dtype=torch.float32) + 0.5) / length


class AnchorDetector(nn.Module):
    """(B, C, z, y, x) -> (B, K, 3): normalised (z, y, x) positions in (0, 1).

    A strided 3x3x3 convolution, GroupNorm, SiLU and a 1x1x1 convolution give K heat maps; each
    anchor is the expected position under the softmax of its map.

    Source: "learned spatial anchors" of the abstract. How positions are read is left open there.
    We take expected positions, not an MLP on pooled features, because pooling a convolution's
    output removes spatial information: an expected position follows the anatomy when it moves.
    """

    def __init__(self, in_channels: int, anchors: int, hidden: int, groups: int = 4):
        super().__init__()
        self.reduce = nn.Conv3d(in_channels, hidden, 3, stride=2, padding=1, bias=False)
        self.norm = GroupNorm(groups, hidden)
        # Without a bias, which the softmax over the voxels would take out again.
        self.heat = nn.Conv3d(hidden, anchors, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the anchors in float32, whatever the precision of x."""
        return expected_positions(self.heat(functional.silu(self.norm(self.reduce(x)))).float())


def expected_positions(heat: Tensor) -> Tensor:
    """Heat maps (B, K, z, y, x) -> (B, K, 3): the mean normalised (z, y, x) under the softmax of each map."""
    weights = heat.flatten(2).softmax(dim=2).view_as(heat)
    along_z = (weights.sum(dim=(3, 4)) * axis_coordinates(heat.shape[2], heat)).sum(dim=2)
    along_y = (weights.sum(dim=(2, 4)) * axis_coordinates(heat.shape[3], heat)).sum(dim=2)
    along_x = (weights.sum(dim=(2, 3)) * axis_coordinates(heat.shape[4], heat)).sum(dim=2)
    return torch.stack((along_z, along_y, along_x), dim=2)
