"""One pass of a network in the precision that a CUDA device runs it in."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

PRECISIONS = {"float32": None, "float16": torch.float16, "bfloat16": torch.bfloat16}


class NetworkPass(nn.Module):
    """(B, channels, z, y, x) -> float32 logits (B, classes, z, y, x), with convolutions in the given precision.

    Args:
        network: a trained network in evaluation mode; its gradients are switched off.
        precision: one of PRECISIONS. In half precision the pass reads the weights once: it has a copy of the network.
    """

    def __init__(self, network: nn.Module, precision: str) -> None:
        super().__init__()
        self._dtype = PRECISIONS[precision]
        network.requires_grad_(False)
        # Elsewhere autocast of CUDA does nothing, and the pass stays in float32.
        on_cuda = any(values.is_cuda for values in network.parameters())
        self.network = _with_cast_weights(network, self._dtype) if self._dtype and on_cuda else network

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of x."""
        # A cached cast of a weight would be freed between CUDA graphs that still read it.
        with torch.autocast("cuda", dtype=self._dtype, enabled=self._dtype is not None, cache_enabled=False):
            logits: Tensor = self.network(x)
        return logits.float()


def _with_cast_weights(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy of network with weights of dtype where autocast would cast them in every pass.

    One by one, those casts are a sixth of the kernels of a pass. Depthwise convolutions read float32 weights.
    """
    copy = deepcopy(network)
    for module in copy.modules():
        if isinstance(module, (nn.Conv3d, nn.ConvTranspose3d, nn.Linear)):
            module.to(dtype)
    return copy
