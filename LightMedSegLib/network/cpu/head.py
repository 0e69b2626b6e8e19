"""The sub-voxel head, slab by slab."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from LightMedSegLib.core.labels import Swaps, swapped
from LightMedSegLib.network.backend import Sink
from LightMedSegLib.network.cpu.channels import ChannelAffine, ChannelSums
from LightMedSegLib.network.cpu.convolution import convolve, packed
from LightMedSegLib.network.cpu.ghost import FastGhost
from LightMedSegLib.network.cpu.memory import Workspace
from LightMedSegLib.network.head import SubvoxelHead, classes_of_block

_LARGEST_PART = 2**21
"""Logits that are computed at a time, 8 MB. glibc keeps memory of up to 32 MB for the next request; larger memory is
mapped again each time, and clearing it takes longer than the arithmetic."""


class _Classifier(NamedTuple):
    """The last layer: weights (8 C, channels, 1, 1, 1), the same packed, and biases (8 C,)."""

    weight: Tensor
    packed: Tensor
    bias: Tensor


class FastSubvoxelHead:
    """SubvoxelHead, all in float32: what is rounded here decides labels."""

    def __init__(self, module: SubvoxelHead):
        self._norm = module.norm
        self._detail = packed(module.detail.weight)
        self._refine = None if module.refine is None else FastGhost(module.refine)
        assert module.classify.bias is not None
        self._classes = len(module.classify.bias) // 8
        self._weight, self._bias = module.classify.weight, module.classify.bias
        self._classifiers: dict[Swaps, _Classifier] = {}

    def __call__(
        self,
        x: Tensor,
        scale: Tensor,
        stem: Tensor,
        workspace: Workspace,
        sink: Sink,
        out: Tensor | None = None,
        swaps: Swaps = (),
    ) -> None:
        """Hand the logits at twice the resolution of x times scale to sink, in rising planes; x is overwritten.

        out: memory for all of them, (z, y, x, classes); without it each part is written over the last one. swaps: see
        StreamingBackend.
        """
        classifier = self._classifier(swaps)
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
                self._hand_on(functional.silu(part, inplace=True), classifier, first, workspace, sink, out)
            return
        refined, sums = self._refine.sweep_activated(x, normalise, "scratch", workspace)
        # classify(fused + normalised(refined)): the offset of the normalisation goes into the bias.
        normalise = sums.group_affine(self._refine.norm)
        bias = classifier.bias + (classifier.weight.flatten(1) * normalise.offset).sum(dim=1)
        classifier = classifier._replace(bias=bias)
        for first, last in workspace.slabs(x):
            both = normalise.scale_and_add(refined[:, :, first:last], x[:, :, first:last])
            self._hand_on(both, classifier, first, workspace, sink, out)

    def _hand_on(
        self,
        features: Tensor,
        classifier: _Classifier,
        first: int,
        workspace: Workspace,
        sink: Sink,
        out: Tensor | None,
    ) -> None:
        plane = 8 * self._classes * features[0, 0, 0].numel()
        for part in features.split(max(1, _LARGEST_PART // plane), dim=2):
            blocks = convolve(part, classifier.packed, classifier.bias)
            _, channels, depth, height, width = blocks.shape
            if out is None:
                size = (2 * depth, 2 * height, 2 * width)
                planes = workspace.take("logits", self._classes, size).permute(0, 2, 3, 4, 1)[0]
            else:
                planes = out[2 * first : 2 * (first + depth)]
            # Along x the voxels of a block lie side by side already; rows and planes have to be brought into order.
            ordered = planes.view(depth, 2, height, 2, width, channels // 4)
            inner = blocks.permute(0, 2, 3, 4, 1).reshape(depth, height, width, 2, 2, -1)
            ordered.copy_(inner.permute(0, 3, 1, 4, 2, 5))
            sink(2 * first, planes)
            first += depth

    def _classifier(self, swaps: Swaps) -> _Classifier:
        if swaps not in self._classifiers:
            order = swapped(swaps, self._classes)
            weight, bias = (classes_of_block(values)[:, order].flatten(0, 1) for values in (self._weight, self._bias))
            self._classifiers[swaps] = _Classifier(weight, packed(weight), bias)
        return self._classifiers[swaps]
