"""Decoder stages, slab by slab."""

from __future__ import annotations

import torch
from torch import Tensor

from LightMedSegLib.network.cpu.channels import ChannelAffine, ChannelMeans, ChannelSums
from LightMedSegLib.network.cpu.convolution import convolve, convolve_planes, packed
from LightMedSegLib.network.cpu.ghost import FastGhost
from LightMedSegLib.network.cpu.memory import Workspace
from LightMedSegLib.network.cpu.router import DirectSkip, FastDirectSkip, FastRouter, RoutedSkip, plane_and_line
from LightMedSegLib.network.decoder import DecoderStage, ThreeBranchMixer


class Doubling:
    """ConvTranspose3d with kernel and stride 2: a 1x1x1 convolution to all eight children, then an ordered copy."""

    def __init__(self, weight: Tensor):
        inside, self._channels = weight.shape[:2]
        self._matrix = weight.permute(2, 3, 4, 1, 0).reshape(8 * self._channels, inside, 1, 1, 1)

    def weight(self, scale: Tensor) -> Tensor:
        """The weights for features that still lack the factors scale (in,)."""
        return packed(self._matrix * scale.view(1, -1, 1, 1, 1))

    def add_to(self, target: Tensor, x: Tensor, first: int, last: int, weight: Tensor) -> None:
        """Add planes first to last (even) of x doubled to target (1, C, last - first, y, x), in place."""
        depth, height, width = (last - first) // 2, x.shape[3], x.shape[4]
        children = convolve(x[:, :, first // 2 : last // 2], weight).permute(0, 2, 3, 4, 1)
        # Along x the children lie side by side already; rows and planes are what has to be brought into order.
        children = children.reshape(depth, height, width, 2, 2, 2 * self._channels)
        ordered = target.permute(0, 2, 3, 4, 1).view(depth, 2, height, 2, width, 2 * self._channels)
        ordered.add_(children.permute(0, 3, 1, 4, 2, 5))


class FastMixer:
    """ThreeBranchMixer of SiLU(normalised features)."""

    def __init__(self, module: ThreeBranchMixer, dtype: torch.dtype):
        self._ghost = FastGhost(module.ghost, dtype)
        assert module.gate.bias is not None and module.pointwise.bias is not None
        self._gate = packed(module.gate.weight), module.gate.bias
        self._pointwise = packed(module.pointwise.weight), module.pointwise.bias
        self._depthwise = packed(module.depthwise.weight, groups=module.depthwise.weight.shape[0])

    def __call__(
        self, x: Tensor, affine: ChannelAffine, name: str, workspace: Workspace
    ) -> tuple[Tensor, ChannelMeans]:
        """The mixture of SiLU(affine(x)), and its means; x is overwritten. name: of the result's memory."""
        channels, depth = x.shape[1], x.shape[2]
        size = (depth, x.shape[3], x.shape[4])
        mixed, share = workspace.take(name, channels, size), workspace.take("ghost share", 1, size)
        ghost, sums = self._ghost.sweep_activated(x, affine, "second scratch", workspace)
        for first, last in workspace.slabs(x):
            here = x[:, :, first:last]
            gates = convolve(here, *self._gate).contiguous().softmax(dim=1)
            share[:, :, first:last].copy_(gates[:, 1:2])
            part = torch.addcmul(
                here,
                gates[:, :1],
                convolve_planes(x, first, last, self._depthwise, groups=channels),
                out=mixed[:, :, first:last],
            )
            part.addcmul_(gates[:, 2:], convolve(here, *self._pointwise))
        normalise = sums.group_affine(self._ghost.norm)
        means = ChannelMeans(channels)
        for first, last in workspace.slabs(x):
            part = mixed[:, :, first:last]
            part.addcmul_(share[:, :, first:last], normalise(ghost[:, :, first:last]))
            means.add(part)
        return mixed, means


class FastDecoderStage:
    """DecoderStage with its router; squeeze-excitation is handed on as a scale."""

    def __init__(self, module: DecoderStage, router: FastRouter | FastDirectSkip, dtype: torch.dtype):
        self._module = module
        self.skip = router
        self._doubling = Doubling(module.enlarge.weight)
        self._mixer = FastMixer(module.mixer, dtype)

    def __call__(
        self, x: Tensor, scale: Tensor, skip: RoutedSkip | DirectSkip, anchors: Tensor, workspace: Workspace
    ) -> tuple[Tensor, Tensor]:
        """Features of x times scale at twice its resolution, and their scale (C,)."""
        size = (2 * x.shape[2], 2 * x.shape[3], 2 * x.shape[4])
        channels = self._module.fuse.out_channels
        fused = workspace.take("scratch", channels, size)
        weight = self._doubling.weight(scale)
        assert self._module.fuse.bias is not None
        plane, line = plane_and_line(self._module.position, anchors, size, self._module.fuse.bias)
        sums = ChannelSums(channels)
        for first, last in workspace.slabs(fused, multiple=2):
            part = fused[:, :, first:last]
            torch.add(plane, line[:, :, first:last], out=part)
            self._doubling.add_to(part, x, first, last, weight)
            skip.add_to(part, first, last)
            sums.add(part)
        name = f"decoded {self.skip.level}"
        mixed, means = self._mixer(fused, sums.group_affine(self._module.norm), name, workspace)
        return mixed, means.excitation(self._module.attention)
