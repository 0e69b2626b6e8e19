"""Group normalisation that stays in the precision of its input, and is as exact in every memory format."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class GroupNorm(nn.GroupNorm):
    """torch's GroupNorm, (B, C, z, y, x) to the same, without autocast's detour through float32.

    Autocast runs normalisations in float32 and hands float32 on, which doubles the memory traffic
    of every step that follows. The kernel itself sums in float32 whatever its input, so computing
    on the input's own type loses nothing that the next convolution would have kept.

    For inference on the processor a channels-last tensor is normalised as a contiguous one: torch's kernel for
    channels-last adds millions of values up in float32, one after the other, and is wrong in the third decimal.

    torch.compile computes the gradient of a half-precision normalisation in half precision, which is wrong by several
    per cent where the mean is large; so compiled code converts, within the same kernels.

    Inference on CUDA in half precision takes the statistics plane by plane. torch's kernel has one thread block for
    each group, and a batch of one has only as many blocks as groups: on an H200 it took half the time of the network.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor in the type of x, and in its memory format except by_planes."""
        if x.device.type == "cpu" and not self.training and x.dim() == 5 and not x.is_contiguous():
            return self.forward(x.contiguous()).contiguous(memory_format=torch.channels_last_3d)
        if x.device.type not in ("cpu", "cuda") or not torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            if torch.compiler.is_compiling():
                return functional.group_norm(x.float(), self.num_groups, self.weight, self.bias, self.eps).to(x.dtype)
            if x.device.type == "cuda" and x.dtype != torch.float32 and not torch.is_grad_enabled():
                return self.by_planes(x)
            return functional.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)

    def by_planes(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, contiguous, with statistics that are put together from those of its planes."""
        batch, channels = x.shape[:2]
        means, variances = (part.reshape(batch * self.num_groups, -1) for part in _moments(x))
        between, mean = torch.var_mean(means, dim=1, correction=0)
        moments = torch.stack((mean, variances.mean(dim=1) + between))
        mean, variance = moments[..., None].expand(-1, -1, channels // self.num_groups).reshape(2, -1)
        flat = x.reshape(1, batch * channels, *x.shape[2:])
        weight, bias = self.weight.repeat(batch), self.bias.repeat(batch)
        return functional.batch_norm(flat, mean, variance, weight, bias, eps=self.eps).view(x.shape)


_LEAST_VARIANCE = 1e-6


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, float32, of each plane (y, x), in the order of memory."""
    planes = x.reshape(1, -1, x.shape[3] * x.shape[4])
    if x.device.type != "cuda":
        variances, means = torch.var_mean(planes.float(), dim=2, correction=0)
        return means, variances
    means, inverse = torch.batch_norm_stats(planes, _LEAST_VARIANCE)
    return means, (inverse.square().reciprocal() - _LEAST_VARIANCE).clamp(min=0)
