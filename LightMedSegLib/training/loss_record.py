"""The losses of the latest steps, kept on the device until somebody asks."""

from __future__ import annotations

import torch

from LightMedSegLib.training.distributed import ProcessGroup


class LossRecord:
    """Holds the losses of up to size steps; asking for each at once would make every step wait for the device."""

    def __init__(self, size: int, device: torch.device, group: ProcessGroup) -> None:
        self._values = torch.zeros(size, device=device)
        self._group, self._count = group, 0

    def add(self, loss: torch.Tensor) -> None:
        """Add the loss of a step, a scalar."""
        self._values[self._count].copy_(loss)
        self._count += 1

    def take(self) -> list[float]:
        """The losses since the last call, each the mean over all processes. Waits for the device."""
        if not self._count:
            return []
        losses = self._group.mean(self._values[: self._count]).tolist()
        self._count = 0
        return [float(value) for value in losses]
