"""Losses and gradient norms of the latest steps, kept on the device until they are read."""

from __future__ import annotations

import torch

from LightMedSegLib.training.acceleration.distributed import ProcessGroup


class LossRecord:
    """Holds up to size steps; reading the loss of each step at once would make every step wait for the device."""

    def __init__(self, size: int, device: torch.device, group: ProcessGroup) -> None:
        self._values = torch.zeros((2, size), device=device)
        self._group, self._count = group, 0

    def add(self, loss: torch.Tensor, norm: torch.Tensor) -> None:
        """Add the loss of a step and the norm of its gradients, both scalars."""
        self._values[0, self._count].copy_(loss)
        self._values[1, self._count].copy_(norm)
        self._count += 1

    def take(self) -> tuple[list[float], list[float]]:
        """Return the losses and the norms since the last call, averaged over all processes. Waits for the device."""
        if not self._count:
            return [], []
        losses, norms = self._group.mean(self._values[:, : self._count]).tolist()
        self._count = 0
        return losses, norms
