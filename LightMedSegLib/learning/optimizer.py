"""AdamW on clipped gradients, without waiting for the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from LightMedSegLib.learning.checkpoint import optimizer_tensors, restore_optimizer
from LightMedSegLib.learning.configuration import OptimizerSection


class ClippedAdamW:
    """Clips the norm of all gradients together, and leaves out a step whose gradients are not finite.

    Kernels alone are decayed: biases and normalisation scales are not shrunk towards zero.
    """

    def __init__(self, network: nn.Module, settings: OptimizerSection) -> None:
        self._parameters = dict(network.named_parameters())
        self._clip = settings.gradient_clip
        values = list(self._parameters.values())
        groups = [
            {"params": [value for value in values if value.dim() > 1], "weight_decay": settings.weight_decay},
            {"params": [value for value in values if value.dim() <= 1], "weight_decay": 0.0},
        ]
        # The fused kernel reads on the device whether to leave a step out.
        self._adamw = torch.optim.AdamW(groups, lr=0.0, fused=True)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self._adamw.zero_grad(set_to_none=True)

    @torch.no_grad()
    def step(self, rate: float) -> torch.Tensor:
        """Move the parameters along their gradients at the learning rate; the norm that the gradients had."""
        gradients = [value.grad for value in self._parameters.values() if value.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if self._clip > 0:
            torch._foreach_mul_(gradients, (self._clip / (norm + 1e-6)).clamp(max=1.0))
        self._adamw.found_inf = (~norm.isfinite()).to(torch.float32)  # type: ignore[attr-defined]
        for part in self._adamw.param_groups:
            part["lr"] = rate
        self._adamw.step()
        return norm

    @torch.no_grad()
    def reset(self) -> None:
        """Forget the moments, in place: a recorded step may hold on to them."""
        for state in self._adamw.state.values():
            for tensor in state.values():
                tensor.zero_()

    def tensors(self) -> dict[str, Any]:
        """The state as tensors named "parameter:key"."""
        return optimizer_tensors(self._adamw, self._parameters)

    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put tensors() back."""
        restore_optimizer(self._adamw, self._parameters, tensors)
