"""Exponential moving average of a network's weights."""

from __future__ import annotations

import torch


class WeightAverage:
    """Follows the weights of a network; the average is less noisy than any single step's weights.

    The decay warms up as (1 + n) / (10 + n), so the average does not remember the random first weights.
    """

    def __init__(self, network: torch.nn.Module, decay: float) -> None:
        self._decay = decay
        self._source = network.state_dict(keep_vars=True)
        self.tensors = {name: value.detach().clone() for name, value in self._source.items()}
        floating = [name for name, value in self.tensors.items() if value.is_floating_point()]
        self._averaged = [self.tensors[name] for name in floating]
        self._followed = [self._source[name] for name in floating]
        self._others = [name for name in self.tensors if name not in set(floating)]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the network's weights after step (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averaged, [value.detach() for value in self._followed], 1 - decay)
        for name in self._others:
            self.tensors[name].copy_(self._source[name])

    @torch.no_grad()
    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Replace the average, for example by that of a checkpoint."""
        for name, value in tensors.items():
            self.tensors[name].copy_(value)
