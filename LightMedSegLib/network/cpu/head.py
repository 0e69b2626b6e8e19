"""The sub-voxel head, slab by slab."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from LightMedSegLib.network.backend import Sink
from LightMedSegLib.network.cpu.channels import ChannelAffine, ChannelSums
from LightMedSegLib.network.cpu.convolution import convolve, packed
from LightMedSegLib.network.cpu.ghost import FastGhost
from LightMedSegLib.network.cpu.memory import Workspace
from LightMedSegLib.network.head import SubvoxelHead


class FastSubvoxelHead:
    """SubvoxelHead, all in float32: what is rounded here decides labels."""

    def __init__(self, module: SubvoxelHead):
        self._norm = module.norm
        self._detail = packed(module.detail.weight)
        self._refine = None if module.refine is None else FastGhost(module.refine)
        assert module.classify.bias is not None
        self._weight, self._bias = module.classify.weight, module.classify.bias
        self._classify = packed(self._weight)

    def __call__(
        self, x: Tensor, scale: Tensor, stem: Tensor, workspace: Workspace, sink: Sink, out: Tensor | None = None
    ) -> None:
        """Hand the logits at twice the resolution of x times scale to sink, in rising planes; x is overwritten.

        out: memory for all of them, (z, y, x, classes); without it each part is written over the last one.
        """
        scaled = ChannelAffine(scale, torch.zeros_like(scale))
        sums = ChannelSums(x.shape[1])
        for first, last in workspace.slabs(x):
            part = x[:, :, first:last]
            scaled.scale_and_add(part, convolve(stem[:, :, first:last], self._detail))
            sums.add(part)
        normalise = sums.group_affine(self._norm)
        if self._refine is None:
            for first, last in workspace.slabs(x):
                part = normalise(x[:, :, first:last], out=x[:, :, first:last])
                self._hand_on(functional.silu(part, inplace=True), self._bias, first, workspace, sink, out)
            return
        refined, sums = self._refine.sweep_activated(x, normalise, "scratch", workspace)
        # classify(fused + normalised(refined)): the offset of the normalisation goes into the bias.
        normalise = sums.group_affine(self._refine.norm)
        bias = self._bias + (self._weight.flatten(1) * normalise.offset).sum(dim=1)
        for first, last in workspace.slabs(x):
            both = normalise.scale_and_add(refined[:, :, first:last], x[:, :, first:last])
            self._hand_on(both, bias, first, workspace, sink, out)

    def _hand_on(
        self, features: Tensor, bias: Tensor, first: int, workspace: Workspace, sink: Sink, out: Tensor | None
    ) -> None:
        blocks = convolve(features, self._classify, bias)
        _, channels, depth, height, width = blocks.shape
        if out is None:
            size = (2 * depth, 2 * height, 2 * width)
            planes = workspace.take("logits", channels // 8, size).permute(0, 2, 3, 4, 1)[0]
        else:
            planes = out[2 * first : 2 * (first + depth)]
        # Along x the voxels of a block lie side by side already; rows and planes are what has to be brought into order.
        ordered = planes.view(depth, 2, height, 2, width, channels // 4)
        ordered.copy_(blocks.permute(0, 2, 3, 4, 1).reshape(depth, height, width, 2, 2, -1).permute(0, 3, 1, 4, 2, 5))
        sink(2 * first, planes)
