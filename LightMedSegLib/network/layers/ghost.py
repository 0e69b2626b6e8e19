"""Ghost convolution: half of the features by a full convolution, half by a cheap depthwise one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.depthwise import DepthwiseConv3d
from LightMedSegLib.network.layers.normalization import GroupNorm


class GhostConvolution(nn.Module):
    """(B, in, z, y, x) -> (B, out, z, y, x), normalised.

    A 3x3x3 convolution makes out/2 features; a depthwise 3x3x3 convolution makes the other half
    from those; both pass a GELU, are concatenated and normalised in groups. With ghost=False one
    3x3x3 convolution makes all features: the plain network of the ablation.

    Source: LightMedSeg's ghost and depthwise convolutions (abstract), after Han et al. 2020,
    GhostNet. The abstract leaves kernel sizes, activation and normalisation open: these are ours.
    """

    def __init__(self, in_channels: int, out_channels: int, *, groups: int = 4, ghost: bool = True):
        super().__init__()
        primary = out_channels // 2 if ghost else out_channels
        self.primary = nn.Conv3d(in_channels, primary, 3, padding=1, bias=False)
        self.cheap = DepthwiseConv3d(primary) if ghost else None
        self.norm = GroupNorm(groups, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised features; see the class for shapes."""
        features = functional.gelu(self.primary(x))
        if self.cheap is not None:
            features = torch.cat((features, functional.gelu(self.cheap(features))), dim=1)
        return self.norm(features)
