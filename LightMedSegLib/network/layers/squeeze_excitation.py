"""Squeeze-excitation: channels weighted by what the whole volume contains."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class SqueezeExcitation(nn.Module):
    """(B, C, z, y, x) -> the same shape, each channel scaled by a factor in (0, 2).

    The factor is twice a sigmoid, so that an undecided block leaves its input as it is.

    Source: Hu et al. 2018, with SiLU for ReLU: few hidden units must not die all together.
    """

    def __init__(self, channels: int, ratio: int):
        super().__init__()
        self.squeeze = nn.Linear(channels, max(4, channels // ratio))
        self.excite = nn.Linear(self.squeeze.out_features, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return x scaled per channel."""
        scale = self.excite(functional.silu(self.squeeze(x.mean(dim=(2, 3, 4)))))
        return x * (2 * torch.sigmoid(scale)).to(x.dtype)[:, :, None, None, None]
