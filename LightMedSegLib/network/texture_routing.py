"""Texture-aware routing: a detail branch where there is texture, a smooth branch elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.depthwise import DepthwiseConv3d
from LightMedSegLib.network.layers.normalization import GroupNorm


class TextureRouting(nn.Module):
    """(B, C, z, y, x) and texture (B, 1, z, y, x) -> x + T detail(x) + (1 - T) smooth(x).

    detail is a depthwise 3x3x3 convolution, GroupNorm and SiLU; smooth a 1x1x1 convolution.
    Where T is 1 only the detail branch contributes, where it is 0 only the smooth one.

    Source: "texture-aware routing" of the abstract; the residual connection is our choice.
    """

    def __init__(self, channels: int, groups: int = 4):
        super().__init__()
        self.detail = DepthwiseConv3d(channels)
        self.norm = GroupNorm(groups, channels)
        self.smooth = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor, texture: Tensor) -> Tensor:
        """Return the routed features, of the shape of x."""
        detail = functional.silu(self.norm(self.detail(x)))
        return x + torch.lerp(self.smooth(x), detail, texture.to(detail.dtype))
