"""Operations per channel: sums, group normalisation as a factor and an offset, squeeze-excitation."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.network.layers.squeeze_excitation import SqueezeExcitation

_ROW = 128


class ChannelAffine:
    """factor x + offset, both float32 (C,), of slabs x (1, C, z, y, x)."""

    def __init__(self, factor: Tensor, offset: Tensor):
        self.factor, self.offset = factor, offset
        self._repeated: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Return the result for x in out, which may be x, or in new memory."""
        factor, offset = self._in_rows(x)
        if out is None:
            out = torch.empty_like(x)
        torch.addcmul(offset, wide_rows(x), factor, out=wide_rows(out))
        return out

    def scale_and_add(self, x: Tensor, base: Tensor) -> Tensor:
        """base + factor x without the offset, in the memory of x."""
        values = wide_rows(x)
        torch.addcmul(wide_rows(base), values, self._in_rows(x)[0], out=values)
        return x

    def _in_rows(self, x: Tensor) -> tuple[Tensor, Tensor]:
        count = _voxels_in_a_row(x)
        if count not in self._repeated:
            self._repeated[count] = self.factor.repeat(count), self.offset.repeat(count)
        return self._repeated[count]


class ChannelSums:
    """Statistics for the group normalisation of a tensor that arrives slab by slab."""

    def __init__(self, channels: int):
        self._channels = channels
        self._parts: list[tuple[int, Tensor, Tensor]] = []

    def add(self, x: Tensor) -> None:
        """Take the slab x (1, C, z, y, x)."""
        values = wide_rows(x)
        # The statistics of batch normalisation: mean and variance in one call that writes nothing.
        self._parts.append((len(values), *torch.batch_norm_update_stats(values, None, None, 0.0)))

    def group_affine(self, norm: nn.GroupNorm, modulation: tuple[Tensor, Tensor] | None = None) -> ChannelAffine:
        """Return GroupNorm as factor and offset, combined with factor and offset (C,) of a modulation, if any."""
        shape = (-1, self._channels)
        means = torch.cat([mean.view(shape) for _, mean, _ in self._parts]).double()
        variances = torch.cat([variance.view(shape) for _, _, variance in self._parts]).double()
        counts = [count for count, mean, _ in self._parts for _ in range(len(mean) // self._channels)]
        weights = torch.tensor(counts, dtype=torch.float64).unsqueeze(1) / sum(counts)
        mean = (weights * means).sum(dim=0).view(norm.num_groups, -1).mean(dim=1, keepdim=True)
        # About the group's mean, part by part: squares minus square would cancel.
        spread = (means.view(len(means), norm.num_groups, -1) - mean).square()
        variance = (weights.unsqueeze(2) * (variances.view_as(spread) + spread)).sum(dim=0).mean(dim=1, keepdim=True)
        size = (norm.num_groups, self._channels // norm.num_groups)
        factor = norm.weight / (variance + norm.eps).sqrt().expand(size).flatten().float()
        offset = norm.bias - factor * mean.expand(size).flatten().float()
        if modulation is not None:
            factor, offset = factor * modulation[0], offset * modulation[0] + modulation[1]
        return ChannelAffine(factor, offset)


class ChannelMeans:
    """Means over the voxels per channel of a tensor that arrives slab by slab."""

    def __init__(self, channels: int):
        self._channels = channels
        self._count = 0
        self._sums: list[Tensor] = []

    def add(self, x: Tensor) -> None:
        """Take the slab x (1, C, z, y, x)."""
        self._sums.append(wide_rows(x).sum(dim=0))
        self._count += x.numel() // self._channels

    def excitation(self, module: SqueezeExcitation) -> Tensor:
        """The factors (C,) of a squeeze-excitation."""
        mean = torch.cat(self._sums).view(-1, self._channels).sum(dim=0) / self._count
        return 2 * torch.sigmoid(module.excite(functional.silu(module.squeeze(mean))))


def wide_rows(x: Tensor) -> Tensor:
    """Return a view of a channels-last x (1, C, z, y, x) as rows of as many voxels as fit into _ROW values.

    Narrow rows would waste the vector units of the processor.
    """
    return x.permute(0, 2, 3, 4, 1).view(-1, x.shape[1] * _voxels_in_a_row(x))


def _voxels_in_a_row(x: Tensor) -> int:
    channels = x.shape[1]
    return math.gcd(x.numel() // channels, max(1, _ROW // channels))
