"""One decoder stage: doubling, fusion with the routed skip, three branches mixed per voxel."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.configuration import NetworkConfiguration
from LightMedSegLib.network.layers.depthwise import DepthwiseConv3d
from LightMedSegLib.network.layers.ghost import GhostConvolution
from LightMedSegLib.network.layers.normalization import GroupNorm
from LightMedSegLib.network.layers.position_bias import PositionBias
from LightMedSegLib.network.layers.squeeze_excitation import SqueezeExcitation


class ThreeBranchMixer(nn.Module):
    """(B, C, z, y, x) -> x + a depthwise(x) + b ghost(x) + c pointwise(x), of the same shape.

    a, b, c are a softmax per voxel of a 1x1x1 convolution of x.

    Source: the three-branch decoder of our reading; the residual connection is our choice.
    """

    def __init__(self, channels: int, groups: int, ghost: bool):
        super().__init__()
        self.gate = nn.Conv3d(channels, 3, 1)
        self.depthwise = DepthwiseConv3d(channels)
        self.ghost = GhostConvolution(channels, channels, groups=groups, ghost=ghost)
        self.pointwise = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mixed features."""
        first, second, third = self.gate(x).softmax(dim=1).to(x.dtype).split(1, dim=1)
        return x + first * self.depthwise(x) + second * self.ghost(x) + third * self.pointwise(x)


class DecoderStage(nn.Module):
    """(B, in, z, y, x), skip (B, R, 2z, 2y, 2x), anchors (B, K, 3) -> (B, out, 2z, 2y, 2x).

    The transposed convolution doubles the resolution, the anchor-relative position bias and a
    1x1x1 convolution of the skip are added, normalised and passed through SiLU; then the
    three-branch mixer and squeeze-excitation. Adding a projected skip equals a 1x1x1 convolution
    of the concatenation, whose part for the doubled features the transposed convolution already is.
    """

    def __init__(self, in_channels: int, out_channels: int, skip_channels: int, configuration: NetworkConfiguration):
        super().__init__()
        self.enlarge = nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2, bias=False)
        self.fuse = nn.Conv3d(skip_channels, out_channels, 1)
        self.position = PositionBias(configuration.anchors, out_channels) if configuration.position_bias else None
        self.norm = GroupNorm(configuration.groups, out_channels)
        self.mixer = ThreeBranchMixer(out_channels, configuration.groups, configuration.ghost)
        self.attention = SqueezeExcitation(out_channels, configuration.squeeze_ratio)

    def forward(self, x: Tensor, skip: Tensor, anchors: Tensor) -> Tensor:
        """Return the stage's features at the skip's resolution."""
        fused = self.enlarge(x) + self.fuse(skip)
        if self.position is not None:
            size = (fused.shape[2], fused.shape[3], fused.shape[4])
            for profile in self.position(anchors, size):
                fused = fused + profile.to(fused.dtype)
        return self.attention(self.mixer(functional.silu(self.norm(fused))))
