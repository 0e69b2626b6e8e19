"""Output layers: from the finest decoder features to class logits on the input's voxels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.ghost import GhostConvolution
from LightMedSegLib.network.normalization import GroupNorm


class ResizingHead(nn.Module):
    """(B, C, z, y, x) -> logits (B, classes, 2z, 2y, 2x): projected first, then interpolated.

    The head of the paper's own settings, whose finest features are at half resolution.
    """

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.classify = nn.Conv3d(channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits at twice the resolution of x."""
        return functional.interpolate(self.classify(x), scale_factor=2, mode="trilinear", align_corners=False)


class DetailHead(nn.Module):
    """(B, C, z, y, x) and detail (B, D, 2z, 2y, 2x) -> logits (B, classes, 2z, 2y, 2x).

    The decoder's features are doubled by a transposed convolution to D channels and added to the
    detail features of the input's own resolution; a residual ghost convolution then decides voxel
    by voxel. Our addition: structures of a few voxels are lost by interpolated logits.
    """

    def __init__(self, channels: int, detail_channels: int, classes: int, groups: int, ghost: bool):
        super().__init__()
        self.enlarge = nn.ConvTranspose3d(channels, detail_channels, 2, stride=2, bias=False)
        self.norm = GroupNorm(groups, detail_channels)
        self.refine = GhostConvolution(detail_channels, detail_channels, groups=groups, ghost=ghost)
        self.classify = nn.Conv3d(detail_channels, classes, 1)

    def forward(self, x: Tensor, detail: Tensor) -> Tensor:
        """Return the logits at the resolution of detail."""
        fused = functional.silu(self.norm(self.enlarge(x) + detail))
        return self.classify(fused + self.refine(fused))
