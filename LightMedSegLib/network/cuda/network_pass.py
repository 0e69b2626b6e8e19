"""One pass of a network in the precision that a CUDA device runs it in."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PRECISIONS = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}


class NetworkPass(nn.Module):
    """(B, channels, z, y, x) -> float32 logits (B, classes, z, y, x), with convolutions in the given precision.

    Args:
        network: a trained network in evaluation mode; its gradients are switched off.
        precision: one of PRECISIONS.
    """

    def __init__(self, network: nn.Module, precision: str) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self._dtype = PRECISIONS[precision]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of x."""
        # A cached cast of a weight would be freed between CUDA graphs that still read it.
        with torch.autocast("cuda", dtype=self._dtype, enabled=self._dtype is not None, cache_enabled=False):
            logits: Tensor = self.network(x)
        return logits.float()
