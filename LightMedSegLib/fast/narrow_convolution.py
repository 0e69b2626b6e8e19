"""3x3x3 convolutions of a few channels, whose neighbours along x become channels to fill the processor's vectors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from LightMedSegLib.fast.convolution import LAST, convolve_planes, packed


def in_blocks(x: Tensor, factor: int) -> Tensor:
    """A channels-last (1, C, z, y, x) seen as (1, factor C, z, y, x / factor), channels-last: the same memory.

    Neighbours along x become channels, so that narrow tensors fill the processor's vectors.
    """
    _, channels, depth, height, width = x.shape
    flat = x.permute(0, 2, 3, 4, 1).reshape(1, depth, height, width // factor, factor * channels)
    return flat.permute(0, 4, 1, 2, 3)


def from_blocks(x: Tensor, factor: int) -> Tensor:
    """The inverse of in_blocks."""
    _, channels, depth, height, width = x.shape
    flat = x.permute(0, 2, 3, 4, 1).reshape(1, depth, height, width * factor, channels // factor)
    return flat.permute(0, 4, 1, 2, 3)


def blocked_weight(weight: Tensor, factor: int) -> Tensor:
    """The weights (out, in, 3, 3, 3) of a padded convolution for blocks: (factor out, factor in, 3, 3, 3).

    Output voxel o of a block reads input voxels o - 1, o and o + 1, which lie in the block or its two neighbours.
    """
    out_channels, in_channels, depth, height, _ = weight.shape
    blocked = weight.new_zeros(factor, out_channels, factor, in_channels, depth, height, 3)
    for target in range(factor):
        for tap in range(3):
            block, source = divmod(target + tap - 1, factor)
            blocked[target, :, source, ..., block + 1] += weight[..., tap]
    return blocked.reshape(factor * out_channels, factor * in_channels, depth, height, 3)


class OneChannelConvolution:
    """A 3x3x3 convolution, zero-padded, of one channel: of blocks of four voxels along x with their two neighbours.

    With one channel the copy in which blocks overlap is small; more channels are for NarrowConvolution.
    """

    _factor = 4

    def __init__(self, weight: Tensor):
        factor, count = self._factor, weight.shape[0]
        blocked = weight.new_zeros(factor, count, factor + 2, 3, 3)
        for voxel in range(factor):
            for tap in range(3):
                blocked[voxel, :, voxel + tap] += weight[:, 0, :, :, tap]
        self._weight = packed(blocked.reshape(factor * count, factor + 2, 3, 3, 1))

    def planes(self, x: Tensor, first: int, last: int) -> Tensor:
        """Planes first to last (not included) of the convolution of x (1, 1, z, y, x); x is a multiple of four wide."""
        begin, end = max(0, first - 1), min(x.shape[2], last + 1)
        padded = functional.pad(x[0, 0, begin:end], (1, 1))
        overlapping = padded.unfold(2, self._factor + 2, self._factor).contiguous()
        y = convolve_planes(overlapping.permute(3, 0, 1, 2)[None], first - begin, last - begin, self._weight)
        return from_blocks(y, self._factor)


class NarrowConvolution:
    """A 3x3x3 convolution, zero-padded, of so few channels that they would leave most of a vector empty.

    Blocks of four neighbours along x make wide channels. Within a block the kernel is a dense matrix; what crosses
    the border between two blocks comes from a second convolution of the two voxels at every border.
    """

    _factor = 4

    def __init__(self, weight: Tensor):
        factor = self._factor
        # In blocks the taps along x are those of the block before, the block itself and the block behind.
        self._inside = packed(blocked_weight(weight, factor)[..., 1:2].contiguous())
        # Of the pair (last voxel of a block, first of the next) each reads the other: taps behind and before.
        none = torch.zeros_like(weight[..., :1])
        rows = (torch.cat((none, weight[..., 2:]), dim=1), torch.cat((weight[..., :1], none), dim=1))
        self._across = packed(torch.cat(rows, dim=0))

    def planes(self, x: Tensor, first: int, last: int) -> Tensor:
        """Planes first to last (not included) of the convolution of x; x is a multiple of four wide."""
        begin, end = max(0, first - 1), min(x.shape[2], last + 1)
        x = x[:, :, begin:end]
        first, last = first - begin, last - begin
        y = from_blocks(convolve_planes(in_blocks(x, self._factor), first, last, self._inside), self._factor)
        across = convolve_planes(self._borders(x).contiguous(memory_format=LAST), first, last, self._across)
        self._borders(y).add_(across)
        return y

    def _borders(self, x: Tensor) -> Tensor:
        """A view (1, 2 C, z, y, borders) of the pairs of voxels on both sides of every border between blocks."""
        _, channels, depth, height, width = x.shape
        lines = x.permute(0, 2, 3, 4, 1).reshape(1, depth, height, width * channels)
        pairs = lines[..., (self._factor - 1) * channels :].unfold(3, 2 * channels, self._factor * channels)
        return pairs.permute(0, 4, 1, 2, 3)
