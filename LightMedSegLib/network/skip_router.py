"""Learned skip router: each decoder level reads a mixture of all encoder scales, chosen per voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.position_bias import PositionBias
from LightMedSegLib.network.layers.resizing import resize_to


class ScaleProjection(nn.Module):
    """One 1x1x1 convolution per encoder scale, to a common width: list of (B, C_s, ...) -> list of (B, R, ...).

    Applied at each scale's own resolution and before any resizing, which gives the same result as
    the other order because both steps are linear, at a fraction of the cost.
    """

    def __init__(self, scale_channels: Sequence[int], channels: int):
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv3d(width, channels, 1) for width in scale_channels)

    def forward(self, scales: Sequence[Tensor]) -> list[Tensor]:
        """Return the projected scales, finest first."""
        return [projection(x) for projection, x in zip(self.projections, scales, strict=True)]


class SkipRouter(nn.Module):
    """Projected scales, anchors and a level -> (B, R, z, y, x) at that level's resolution.

    A controller (1x1x1 to a hidden width, SiLU, 1x1x1) sees all scales and the anchor-relative
    position bias and gives one logit per scale and voxel; the output is the softmax-weighted sum
    of the resized scales.

    Source: "learned skip router with anchor-relative spatial position bias" of the abstract. The
    controller's first layer is one 1x1x1 convolution per scale, summed after resizing: the same
    function as one convolution of the concatenated scales.
    """

    def __init__(self, scales: int, channels: int, hidden: int, anchors: int, position_bias: bool):
        super().__init__()
        self.read = nn.ModuleList(nn.Conv3d(channels, hidden, 1, bias=index == 0) for index in range(scales))
        self.position = PositionBias(anchors, hidden) if position_bias else None
        self.decide = nn.Conv3d(hidden, scales, 1)

    def weights(self, projected: Sequence[Tensor], anchors: Tensor, level: int) -> Tensor:
        """Return the mixing weights (B, scales, z, y, x), which sum to one over the scales."""
        size = (projected[level].shape[2], projected[level].shape[3], projected[level].shape[4])
        hidden = self.read[level](projected[level])
        for index, read in enumerate(self.read):
            if index < level:
                hidden = hidden + read(resize_to(projected[index], size))
            elif index > level:
                hidden = hidden + resize_to(read(projected[index]), size)
        if self.position is not None:
            for profile in self.position(anchors, size):
                hidden = hidden + profile.to(hidden.dtype)
        return self.decide(functional.silu(hidden)).softmax(dim=1).to(hidden.dtype)

    def forward(self, projected: Sequence[Tensor], anchors: Tensor, level: int) -> Tensor:
        """Return the routed skip of the level."""
        weights = self.weights(projected, anchors, level)
        size = (weights.shape[2], weights.shape[3], weights.shape[4])
        routed = projected[0].new_zeros(())
        for index, scale in enumerate(projected):
            routed = torch.addcmul(routed, weights[:, index : index + 1], resize_to(scale, size))
        return routed
