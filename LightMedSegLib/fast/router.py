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

from LightMedSegLib.fast.convolution import LAST, convolve
from LightMedSegLib.network.position_bias import PositionBias
from LightMedSegLib.network.skip_router import SkipRouter

Size = tuple[int, int, int]


def halved(x: Tensor) -> Tensor:
    """Mean over 2x2x2 voxels: linear interpolation half way between them, channels-last unlike avg_pool3d."""
    return functional.interpolate(x, scale_factor=0.5, mode="trilinear", align_corners=False)


class Enlarged:
    """A coarse map interpolated trilinearly to factor times its size, a few planes at a time.

    Within the planes it is enlarged once, while it still has few planes. Between them interpolation is a small
    matrix product, which adds to a sum without an intermediate tensor.
    """

    def __init__(self, x: Tensor, factor: int):
        in_plane = functional.interpolate(x, scale_factor=(1, factor, factor), mode="trilinear", align_corners=False)
        self._rows = in_plane.permute(0, 2, 3, 4, 1).reshape(x.shape[2], -1)
        position = (torch.arange(factor * x.shape[2]) + 0.5) / factor - 0.5
        distance = (position.clamp(0, x.shape[2] - 1)[:, None] - torch.arange(x.shape[2])).abs()
        self._weights = (1 - distance).clamp(min=0)
        self._factor = factor

    def add_to(self, target: Tensor, first: int) -> None:
        """Add the planes from first on to target (1, C, planes, y, x), in place."""
        weights, rows = self._part(first, target.shape[2])
        target.permute(0, 2, 3, 4, 1).view(target.shape[2], -1).addmm_(weights, rows)

    def planes(self, like: Tensor, first: int) -> Tensor:
        """The planes from first on, as many as like has, in new memory."""
        weights, rows = self._part(first, like.shape[2])
        _, channels, depth, height, width = like.shape
        return (weights @ rows).view(1, depth, height, width, channels).permute(0, 4, 1, 2, 3)

    def _part(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        begin = max(0, first // self._factor - 1)
        end = (first + count - 1) // self._factor + 2
        return self._weights[first : first + count, begin:end], self._rows[begin:end]


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
        parts = (convolve(x[:, :, first:last], read) for read, _, _, x in self.fine)
        hidden = next(parts)
        for part in parts:
            hidden += part
        hidden.add_(self._plane).add_(self._line[:, :, first:last])
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
        features += convolve(x[:, :, first:last], weight, bias)


class FastDirectSkip:
    """The projection of one scale and the fuse convolution of the decoder stage at its level."""

    def __init__(self, projection: nn.Conv3d, fuse: nn.Conv3d, level: int):
        self.level = level
        self._weight, self._bias = _product(fuse, projection)

    def __call__(self, pyramid: Sequence[Tensor], scales: Sequence[Tensor], anchors: Tensor) -> DirectSkip:
        """As FastRouter."""
        weight = self._weight * scales[self.level].view(1, -1, 1, 1, 1)
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
        self._decide = router.decide.weight, router.decide.bias
        self._position = router.position
        self._fused = [_product(fuse, projection) for projection in projections]

    def __call__(self, pyramid: Sequence[Tensor], scales: Sequence[Tensor], anchors: Tensor) -> RoutedSkip:
        """What the router adds, given the features of all scales times their scales (C,), finest first.

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
                routed.fine.append((read, fuse, bias, x))
            else:
                factor = 2 ** (index - self.level)
                routed.coarse.append((Enlarged(convolve(x, read), factor), Enlarged(convolve(x, fuse, bias), factor)))
        return routed


def plane_and_line(position: PositionBias | None, anchors: Tensor, size: Size, bias: Tensor) -> tuple[Tensor, Tensor]:
    """A position bias and a bias (C,) as (1, C, 1, y, x) and (1, C, z, 1, 1): two additions instead of four."""
    bias = bias.view(1, -1, 1, 1, 1)
    if position is None:
        return bias, torch.zeros_like(bias).expand(1, -1, size[0], 1, 1)
    along_z, along_y, along_x = position(anchors, size)
    return (along_y + (along_x + bias)).contiguous(memory_format=LAST), along_z


def _product(outer: nn.Conv3d, inner: nn.Conv3d) -> tuple[Tensor, Tensor]:
    """Weights and bias of two 1x1x1 convolutions as one; the bias of outer is left out."""
    matrix = outer.weight.flatten(1)
    assert inner.bias is not None
    return (matrix @ inner.weight.flatten(1))[:, :, None, None, None], matrix @ inner.bias
