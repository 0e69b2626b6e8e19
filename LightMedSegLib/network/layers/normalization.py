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
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor in the type and memory format of x."""
        if x.device.type == "cpu" and not self.training and x.dim() == 5 and not x.is_contiguous():
            return self.forward(x.contiguous()).contiguous(memory_format=torch.channels_last_3d)
        if x.device.type not in ("cpu", "cuda") or not torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            if torch.compiler.is_compiling():
                return functional.group_norm(x.float(), self.num_groups, self.weight, self.bias, self.eps).to(x.dtype)
            return functional.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)
