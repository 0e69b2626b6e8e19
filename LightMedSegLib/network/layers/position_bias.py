"""Anchor-relative position bias, as three axis profiles instead of a coordinate volume."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LightMedSegLib.network.anchors import axis_coordinates


class PositionBias(nn.Module):
    """Anchors (B, K, 3) and a size (z, y, x) -> three tensors that broadcast to (B, C, z, y, x).

    Along each axis, the signed offset of a voxel to every anchor and a Gaussian of that offset are
    mixed linearly to C channels; the bias of a voxel is the sum over its three axes. It is applied
    by broadcasting, so its cost is that of three additions and it never exists as a volume.

    Source: "anchor-relative spatial position bias" of the abstract. Plain offsets mixed linearly
    would collapse to a ramp plus a constant in which single anchors no longer count; the Gaussian
    (width 0.15 of the volume, about an organ) keeps them apart. Both the Gaussian and the
    separation into axes are our choice.
    """

    width = 0.15

    def __init__(self, anchors: int, channels: int):
        super().__init__()
        layers = [nn.Linear(2 * anchors, channels, bias=False) for _ in range(3)]
        for layer in layers:
            nn.init.normal_(layer.weight, std=0.02)
        self.mix = nn.ModuleList(layers)

    def forward(self, anchors: Tensor, size: tuple[int, int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Return the profiles of the z, y and x axis: (B, C, z, 1, 1), (B, C, 1, y, 1), (B, C, 1, 1, x)."""
        profiles = []
        for axis, layer in enumerate(self.mix):
            offsets = axis_coordinates(size[axis], anchors)[None, :, None] - anchors[:, None, :, axis]
            features = torch.cat((offsets, torch.exp(-0.5 * (offsets / self.width) ** 2)), dim=2)
            shape = [anchors.shape[0], layer.out_features, 1, 1, 1]
            shape[2 + axis] = size[axis]
            profiles.append(layer(features).transpose(1, 2).reshape(shape))
        return profiles[0], profiles[1], profiles[2]
