"""The ghost convolution, slab by slab."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from LightMedSegLib.network.cpu.channels import ChannelAffine, ChannelSums
from LightMedSegLib.network.cpu.convolution import convolve_planes, packed
from LightMedSegLib.network.cpu.memory import Workspace, join
from LightMedSegLib.network.layers.ghost import GhostConvolution

Planes = Callable[[int, int], Tensor]


def gelu(x: Tensor, out: Tensor) -> Tensor:
    """GELU of x in the type of out, written into out (which may be x)."""
    return torch.ops.aten.gelu.out(x.to(out.dtype), out=out)


class FastGhost:
    """GhostConvolution up to its normalisation: what is normalised, and the sums that say how.

    dtype: of the dense 3x3x3 convolution; all else is float32.
    """

    def __init__(self, module: GhostConvolution, dtype: torch.dtype = torch.float32):
        self.norm = module.norm
        self.weight = module.primary.weight.to(dtype)
        self._packed = packed(self.weight)
        self._cheap: Tensor | None = None
        if module.cheap is not None:
            self._cheap = packed(module.cheap.weight, groups=module.cheap.weight.shape[0])

    def __call__(
        self, x: Tensor, name: str, workspace: Workspace, weight: Tensor | None = None
    ) -> tuple[Tensor, ChannelSums]:
        """Features of x, with weight instead of the module's own if given (a scale multiplied in).

        name: of the memory for the features.
        """
        own = self._packed if weight is None else packed(weight.to(self.weight.dtype))
        return self.sweep(lambda first, last: convolve_planes(x, first, last, own), x.shape[2:], name, workspace)

    def sweep(
        self, primary: Planes, size: tuple[int, ...], name: str, workspace: Workspace
    ) -> tuple[Tensor, ChannelSums]:
        """Features whose first half, before its GELU, comes from primary(first, last), in rising planes."""
        depth, height, width = size
        channels = self.norm.num_channels
        features = workspace.take(name, channels, (depth, height, width))
        sums = ChannelSums(channels)
        if self._cheap is None:
            for first, last in workspace.slabs(features):
                part = features[:, :, first:last]
                gelu(primary(first, last), out=part)
                sums.add(part)
            return features, sums
        half = workspace.take("ghost half", channels // 2, (depth, height, width))
        done = 0
        for first, last in workspace.slabs(features):
            ahead = min(depth, last + 1)
            if ahead > done:
                gelu(primary(done, ahead), out=half[:, :, done:ahead])
                done = ahead
            cheap = convolve_planes(half, first, last, self._cheap, groups=channels // 2)
            part = features[:, :, first:last]
            join(half[:, :, first:last], gelu(cheap, out=cheap), part)
            sums.add(part)
        return features, sums

    def sweep_activated(
        self, x: Tensor, affine: ChannelAffine, name: str, workspace: Workspace
    ) -> tuple[Tensor, ChannelSums]:
        """Features of SiLU(affine(x)), which takes the place of x."""
        depth, done = x.shape[2], 0

        def primary(first: int, last: int) -> Tensor:
            nonlocal done
            ahead = min(depth, last + 1)
            if ahead > done:
                part = x[:, :, done:ahead]
                functional.silu(affine(part, out=part), inplace=True)
                done = ahead
            return convolve_planes(x, first, last, self._packed)

        return self.sweep(primary, x.shape[2:], name, workspace)
