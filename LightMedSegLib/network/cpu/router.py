"""The skip router together with the convolution that reads it in the decoder, a slab at a time.

fuse(sum of w_i resize(project_i(scale_i))) = sum of w_i resize((fuse project_i)(scale_i)) + the bias of fuse, because
resizing, projecting and fusing are linear: every scale gets one 1x1x1 convolution to the decoder's own width, at its
own resolution, and the router's common width never exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.cpu.convolution import LAST, add_convolution, convolve, packed
from LightMedSegLib.network.cpu.enlarged import Enlarged
from LightMedSegLib.network.cpu.memory import Workspace
from LightMedSegLib.network.layers.position_bias import PositionBias
from LightMedSegLib.network.skip_router import SkipRouter

Size = tuple[int, int, int]


def halved(x: Tensor) -> Tensor:
    """Mean over 2x2x2 voxels: linear interpolation half way between them, channels-last unlike avg_pool3d."""
    return functional.interpolate(x, scale_factor=0.5, mode="trilinear", align_corners=False)


class RoutedSkip:
    """fuse(routed skip) of one volume at one level, without the bias of fuse.

    fine: (weights of read, weights of fuse, its bias, features) of scales at this level's resolution.
    coarse: (read features, fused features) of coarser scales.
    """

    def __init__(self, decide: tuple[Tensor, Tensor], profiles: tuple[Tensor, Tensor]):
        self._decide = decide
        self._plane, self._line = profiles
        self.fine: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
        self.coarse: list[tuple[Enlarged, Enlarged]] = []

    def add_to(self, features: Tensor, first: int, last: int) -> None:
        """Add planes first to last to features (1, C, last - first, y, x), in place."""
        hidden = (self._plane + self._line[:, :, first:last]).contiguous(memory_format=LAST)
        for read, _, _, x in self.fine:
            add_convolution(hidden, x[:, :, first:last], read)
        for read_map, _ in self.coarse:
            read_map.add_to(hidden, first)
        logits = convolve(functional.silu(hidden, inplace=True), *self._decide)
        weights = iter(logits.contiguous().softmax(dim=1).split(1, dim=1))
        for _, fuse, bias, x in self.fine:
            features.addcmul_(next(weights), convolve(x[:, :, first:last], fuse, bias))
        for _, fused_map in self.coarse:
            features.addcmul_(next(weights), fused_map.planes(features, first))


class DirectSkip:
    """fuse(projected scale of the same level) of one volume, without the bias of fuse: the skip without a router."""

    def __init__(self, x: Tensor, weight: Tensor, bias: Tensor):
        self._arguments = x, weight, bias

    def add_to(self, features: Tensor, first: int, last: int) -> None:
        """Add planes first to last to features (1, C, last - first, y, x), in place."""
        x, weight, bias = self._arguments
        add_convolution(features, x[:, :, first:last], weight, bias)


class FastDirectSkip:
    """The projection of one scale and the fuse convolution of the decoder stage at its level."""

    def __init__(self, projection: nn.Conv3d, fuse: nn.Conv3d, level: int):
        self.level = level
        self._weight, self._bias = _product(fuse, projection)

    def __call__(
        self, pyramid: Sequence[Tensor], scales: Sequence[Tensor], anchors: Tensor, workspace: Workspace
    ) -> DirectSkip:
        """As FastRouter."""
        weight = packed(self._weight * scales[self.level].view(1, -1, 1, 1, 1))
        return DirectSkip(pyramid[self.level], weight, self._bias)


class FastRouter:
    """One SkipRouter and the fuse convolution of its decoder stage."""

    def __init__(self, router: SkipRouter, projections: Sequence[nn.Conv3d], fuse: nn.Conv3d, level: int):
        self.level = level
        layers = [cast(nn.Conv3d, layer) for layer in router.read]
        reads = [_product(read, projection) for read, projection in zip(layers, projections, strict=True)]
        assert layers[0].bias is not None and router.decide.bias is not None
        self._reads = [weight for weight, _ in reads]
        self._read_bias = layers[0].bias + torch.stack([bias for _, bias in reads]).sum(dim=0)
        self._decide = packed(router.decide.weight), router.decide.bias
        self._position = router.position
        self._fused = [_product(fuse, projection) for projection in projections]

    def __call__(
        self, pyramid: Sequence[Tensor], scales: Sequence[Tensor], anchors: Tensor, workspace: Workspace
    ) -> RoutedSkip:
        """Return the router's contribution from the features of all scales times their scales (C,), finest first.

        Those finer than this level are expected averaged to its resolution.
        """
        size: Size = tuple(pyramid[self.level].shape[2:])  # type: ignore[assignment]
        routed = RoutedSkip(self._decide, plane_and_line(self._position, anchors, size, self._read_bias))
        for index, (x, scale) in enumerate(zip(pyramid, scales, strict=True)):
            factors = scale.view(1, -1, 1, 1, 1)
            read = self._reads[index] * factors
            weight, bias = self._fused[index]
            fuse = weight * factors
            if index <= self.level:
                routed.fine.append((packed(read), packed(fuse), bias, x))
            else:
                factor = 2 ** (index - self.level)
                maps = (("read", convolve(x, read)), ("fused", convolve(x, fuse, bias)))
                read_map, fused_map = (Enlarged(y, factor, f"{kind} map {index}", workspace) for kind, y in maps)
                routed.coarse.append((read_map, fused_map))
        return routed


def plane_and_line(position: PositionBias | None, anchors: Tensor, size: Size, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A position bias and a bias (C,) as (1, C, 1, y, x) and (1, C, z, 1, 1): two additions instead of four."""
    bias = bias.view(1, -1, 1, 1, 1)
    if position is None:
        return bias.expand(1, -1, 1, *size[1:]), torch.zeros_like(bias).expand(1, -1, size[0], 1, 1)
    along_z, along_y, along_x = position(anchors, size)
    return (along_y + (along_x + bias)).contiguous(memory_format=LAST), along_z


def _product(outer: nn.Conv3d, inner: nn.Conv3d) -> tuple[Tensor, Tensor]:
    """Weights and bias of two 1x1x1 convolutions as one; the bias of outer is left out."""
    matrix = outer.weight.flatten(1)
    assert inner.bias is not None
    return (matrix @ inner.weight.flatten(1))[:, :, None, None, None], matrix @ inner.bias
