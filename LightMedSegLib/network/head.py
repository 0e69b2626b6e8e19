"""Output layer: from the finest decoder features, at half resolution, to class logits on the input's voxels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.ghost import GhostConvolution
from LightMedSegLib.network.layers.normalization import GroupNorm
from LightMedSegLib.network.layers.subvoxel import depth_to_space


def classes_of_block(values: Tensor) -> Tensor:
    """Return a view of the classifier's weights or biases (8 C, ...) as (8, C, ...): the classes of each voxel."""
    return values.unflatten(0, (8, -1))


class SubvoxelHead(nn.Module):
    """(B, C, z, y, x) and stem features (B, S, z, y, x) -> logits (B, classes, 2z, 2y, 2x).

    A 1x1x1 convolution of the stem's features, which hold every voxel of the input, is added to the decoder's.
    After normalisation, SiLU and, with refine, a residual ghost convolution, a 1x1x1 convolution gives the
    classes of the eight voxels of each block. Our addition: structures of a few voxels are lost by interpolated
    logits, and a path at full resolution costs more memory traffic than all the rest.
    """

    def __init__(self, channels: int, stem_channels: int, classes: int, groups: int, ghost: bool, refine: bool):
        super().__init__()
        self.detail = nn.Conv3d(stem_channels, channels, 1, bias=False)
        self.norm = GroupNorm(groups, channels)
        self.refine = GhostConvolution(channels, channels, groups=groups, ghost=ghost) if refine else None
        self.classify = nn.Conv3d(channels, 8 * classes, 1)
        self._start_alike(classes)

    def forward(self, x: Tensor, stem: Tensor) -> Tensor:
        """Return the logits at twice the resolution of x."""
        fused = functional.silu(self.norm(x + self.detail(stem)))
        if self.refine is not None:
            fused = fused + self.refine(fused)
        return depth_to_space(self.classify(fused))

    def _start_alike(self, classes: int) -> None:
        """Give the eight voxels of a block nearly the same weights: independent ones begin with a checkerboard."""
        with torch.no_grad():
            for values in (self.classify.weight, self.classify.bias):
                assert values is not None
                alike = values[:classes].clone()
                values.mul_(0.1).unflatten(0, (8, classes)).add_(alike)
