"""Convolutions of one channels-last volume by oneDNN, whole or a few planes at a time."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

LAST = torch.channels_last_3d

Triple = tuple[int, int, int]


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether this build of torch runs oneDNN convolutions of dtype on this machine."""
    if not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.aten, "mkldnn_convolution"):
        return False
    with torch.inference_mode():
        x = torch.ones(1, 2, 3, 3, 3, dtype=dtype).contiguous(memory_format=LAST)
        weight = torch.ones(2, 2, 1, 1, 1, dtype=dtype)
        try:
            torch.ops.aten.mkldnn_convolution(x, weight, None, [0] * 3, [1] * 3, [1] * 3, 1)
        except RuntimeError:
            return False
    return True


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: Triple = (0, 0, 0),
    stride: Triple = (1, 1, 1),
    groups: int = 1,
) -> Tensor:
    """torch.nn.functional.conv3d of a channels-last (1, C, z, y, x) on the processor, channels-last again.

    torch's own choice avoids oneDNN for one small volume, where its native kernel takes ten times as long and
    returns channels-first.
    """
    if has_onednn(x.dtype):
        return torch.ops.aten.mkldnn_convolution(x, weight, bias, padding, stride, (1, 1, 1), groups)
    y = functional.conv3d(x, weight, bias, stride=stride, padding=padding, groups=groups)
    return y.contiguous(memory_format=LAST)


def convolve_planes(x: Tensor, first: int, last: int, weight: Tensor, *, stride: int = 1, groups: int = 1) -> Tensor:
    """Planes first to last (not included) of the convolution of x with zero padding of half a kernel.

    Only the planes of x that these depend on are read. weight: (out, in / groups, k, k, k), k odd; where it has
    another type than x, the planes are converted to it, and so is the result.
    """
    border = weight.shape[2] // 2
    depth = x.shape[2]
    begin = max(0, first * stride - border)
    end = min(depth, (last - 1) * stride + border + 1)
    padded = begin > first * stride - border or end < (last - 1) * stride + border + 1
    padding = (border if padded else 0, weight.shape[3] // 2, weight.shape[4] // 2)
    y = convolve(x[:, :, begin:end].to(weight.dtype), weight, padding=padding, stride=(stride,) * 3, groups=groups)
    # Padding comes on both sides: where only one needed it, the planes it made on the other are cut off.
    skip = (first * stride - begin) // stride if padded else 0
    return y[:, :, skip : skip + last - first]


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


class NarrowConvolution:
    """A 3x3x3 convolution, zero-padded, of so few channels that they would leave most of a vector empty.

    Blocks of four neighbours along x make wide channels. Within a block the kernel is a dense matrix; what crosses
    the border between two blocks comes from a second convolution of the two voxels at every border.
    """

    _factor = 4

    def __init__(self, weight: Tensor):
        factor = self._factor
        # In blocks the taps along x are those of the block before, the block itself and the block behind.
        self._inside = blocked_weight(weight, factor)[..., 1:2].contiguous()
        # Of the pair (last voxel of a block, first of the next) each reads the other: taps behind and before.
        none = torch.zeros_like(weight[..., :1])
        rows = (torch.cat((none, weight[..., 2:]), dim=1), torch.cat((weight[..., :1], none), dim=1))
        self._across = torch.cat(rows, dim=0)

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
