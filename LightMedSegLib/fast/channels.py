"""Steps that treat every channel by itself: sums, group normalisation as a factor and an offset, squeeze-excitation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.fast.memory import rows
from LightMedSegLib.network.squeeze_excitation import SqueezeExcitation

_ROW = 128


class ChannelSums:
    """Sums over the voxels of a tensor that comes slab by slab: per channel, and of the squares."""

    def __init__(self, channels: int):
        self._count = 0
        self._sum = torch.zeros(channels, dtype=torch.float64)
        self._squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, x: Tensor) -> None:
        """Take the slab x (1, C, z, y, x)."""
        channels = x.shape[1]
        values = wide_rows(x)
        # The statistics of batch normalisation: both in one call that writes nothing.
        mean, variance = (part.double() for part in torch.batch_norm_update_stats(values, None, None, 0.0))
        count = len(values)
        self._sum += count * mean.view(-1, channels).sum(dim=0)
        self._squares += count * (variance + mean.square()).view(-1, channels).sum(dim=0)
        self._count += x.numel() // channels

    def group_affine(
        self, norm: nn.GroupNorm, modulation: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Factor and offset (C,), float32, that GroupNorm applies, followed by modulation if there is one."""
        mean = (self._sum / self._count).view(norm.num_groups, -1)
        group_mean = mean.mean(dim=1, keepdim=True)
        # About the group's mean, channel by channel: squares minus square would cancel.
        variance = (self._squares / self._count).view_as(mean).mean(dim=1, keepdim=True) - group_mean.square()
        deviation = (variance.clamp(min=0) + norm.eps).sqrt().expand_as(mean).flatten()
        factor = norm.weight / deviation.float()
        offset = norm.bias - factor * group_mean.expand_as(mean).flatten().float()
        if modulation is not None:
            factor, offset = factor * modulation[0], offset * modulation[0] + modulation[1]
        return factor, offset


class ChannelMeans:
    """Means over the voxels per channel of a tensor that comes slab by slab."""

    def __init__(self, channels: int):
        self._count = 0
        self._sum = torch.zeros(channels)

    def add(self, x: Tensor) -> None:
        """Take the slab x (1, C, z, y, x)."""
        channels = x.shape[1]
        self._sum += wide_rows(x).sum(dim=0, dtype=torch.float32).view(-1, channels).sum(dim=0)
        self._count += x.numel() // channels

    def excitation(self, module: SqueezeExcitation) -> Tensor:
        """The factors (C,) of a squeeze-excitation."""
        mean = self._sum / self._count
        return 2 * torch.sigmoid(module.excite(functional.silu(module.squeeze(mean))))


def wide_rows(x: Tensor) -> Tensor:
    """rows(x) with as many voxels in a row as fit into _ROW values: narrow rows waste the processor's vectors."""
    flat = rows(x)
    return flat.view(-1, x.shape[1] * _voxels_in_a_row(flat))


def affine(x: Tensor, factor: Tensor, offset: Tensor, out: Tensor | None = None) -> Tensor:
    """factor x + offset, both (C,), of a slab x; in out (which may be x) or in new memory."""
    flat = rows(x)
    count = _voxels_in_a_row(flat)
    factors, offsets = (value.to(x.dtype).repeat(count) for value in (factor, offset))
    if out is None:
        out = torch.empty_like(x)
    torch.addcmul(offsets, wide_rows(x), factors, out=wide_rows(out))
    return out


def add_scaled(x: Tensor, factor: Tensor, base: Tensor) -> Tensor:
    """base + factor x, factor (C,), of a slab x, in the memory of x."""
    count = _voxels_in_a_row(rows(x))
    torch.addcmul(wide_rows(base), wide_rows(x), factor.repeat(count), out=wide_rows(x))
    return x


def _voxels_in_a_row(flat: Tensor) -> int:
    return math.gcd(len(flat), max(1, _ROW // flat.shape[1]))
