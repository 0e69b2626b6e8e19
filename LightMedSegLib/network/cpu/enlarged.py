"""Coarse maps at a finer resolution, a few planes at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from LightMedSegLib.network.cpu.memory import Workspace


class Enlarged:
    """A coarse map interpolated trilinearly to factor times its size, a few planes at a time.

    Within the planes it is enlarged once, while it still has few planes. Between them interpolation is a small
    matrix product, which adds to a sum without an intermediate tensor.

    name: of the memory that it keeps in use.
    """

    def __init__(self, x: Tensor, factor: int, name: str, workspace: Workspace):
        # Planes as a batch of channels-last images: trilinear interpolation would look at eight neighbours for four.
        planes = x.squeeze(0).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        depth, channels, height, width = planes.shape
        size = (depth, factor * height, factor * width)
        in_plane = workspace.take(name, channels, size).squeeze(0).transpose(0, 1)
        torch.ops.aten.upsample_bilinear2d.out(planes, size[1:], False, out=in_plane)
        self._rows = in_plane.permute(0, 2, 3, 1).reshape(depth, -1)
        self._workspace = workspace
        position = (torch.arange(factor * x.shape[2]) + 0.5) / factor - 0.5
        distance = (position.clamp(0, x.shape[2] - 1)[:, None] - torch.arange(x.shape[2])).abs()
        self._weights = (1 - distance).clamp(min=0)
        self._factor = factor

    def add_to(self, target: Tensor, first: int) -> None:
        """Add the planes from first on to target (1, C, planes, y, x), in place."""
        weights, rows = self._part(first, target.shape[2])
        target.permute(0, 2, 3, 4, 1).view(target.shape[2], -1).addmm_(weights, rows)

    def write_to(self, target: Tensor, first: int) -> None:
        """Write the planes from first on into target (1, C, planes, y, x)."""
        weights, rows = self._part(first, target.shape[2])
        torch.mm(weights, rows, out=target.permute(0, 2, 3, 4, 1).view(target.shape[2], -1))

    def planes(self, like: Tensor, first: int) -> Tensor:
        """The planes from first on, as many as like has; valid until the next call of any map of the workspace."""
        _, channels, depth, height, width = like.shape
        planes = self._workspace.take("enlarged planes", channels, (depth, height, width))
        self.write_to(planes, first)
        return planes

    def _part(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        begin = max(0, first // self._factor - 1)
        end = (first + count - 1) // self._factor + 2
        return self._weights[first : first + count, begin:end], self._rows[begin:end]
