"""Local structural prior module: where the volume has texture, and a gated mixture of views of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.depthwise import depthwise_conv3d


class TextureMap(nn.Module):
    """(B, C, z, y, x) -> (B, 1, z, y, x) in (0, 1), high where features differ from their surroundings.

    sigmoid of a non-negative mixture of abs(local average of f - f). The average is a learned depthwise
    5x5x5 kernel whose taps are positive and sum to one, and edges are replicated: in a flat
    region the difference is exactly zero at any position, so training cannot invert the meaning
    of the map. Both constraints are ours; the abstract only names a structural prior.
    """

    kernel = 5

    def __init__(self, channels: int):
        super().__init__()
        self.taps = nn.Parameter(0.01 * torch.randn(channels, self.kernel**3))
        self.gain = nn.Parameter(torch.zeros(channels))
        self.threshold = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the texture map."""
        shape = (-1, 1, self.kernel, self.kernel, self.kernel)
        smooth = self.taps.softmax(dim=1).to(x.dtype).view(shape)
        border = self.kernel // 2
        padded = functional.pad(x, (border,) * 6, mode="replicate")
        if x.is_cuda:
            # The depthwise kernel keeps the size; its own zero padding only reaches what is cut off here.
            local = depthwise_conv3d(padded, smooth)[:, :, border:-border, border:-border, border:-border]
        else:
            local = functional.conv3d(padded, smooth, groups=x.shape[1])
        contrast = (local - x).abs()
        weights = functional.softplus(self.gain).to(x.dtype).view(1, -1, 1, 1, 1)
        return torch.sigmoid(functional.conv3d(contrast, weights) - self.threshold.to(x.dtype))


class StructuralPrior(nn.Module):
    """(B, C, z, y, x) -> features of the same shape and the texture map (B, 1, z, y, x).

    Two 1x1x1 projections of f are mixed by two gates per voxel that sum to one, and added to f.
    A softmax over two gates is one sigmoid of their difference, which is how it is computed.

    Source: "local structural prior module" of the abstract; gating two projections follows our
    reading, the residual connection is our choice.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.texture = TextureMap(channels)
        self.gate = nn.Conv3d(channels + 1, 1, 1)
        self.first = nn.Conv3d(channels, channels, 1)
        self.second = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixed features and the texture map."""
        texture = self.texture(x)
        gate = torch.sigmoid(self.gate(torch.cat((x, texture), dim=1)))
        second = self.second(x)
        return x + second + gate * (self.first(x) - second), texture
