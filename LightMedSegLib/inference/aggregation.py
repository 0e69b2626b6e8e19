"""Adding up the logits of overlapping windows in a few planes of memory.

Windows come in the order of their first plane. Once a window begins at plane n, no later one reaches the planes
before n: they are finished, handed on, and their memory is used for the planes to come.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from LightMedSegLib.inference.windows import Shape

AIR_LOGIT = 10.0
"""Logit of background where no window looked: decided, but not so far from others that borders would move."""

LARGEST_FLOAT32_BYTES = 2**30
"""Sums larger than this are kept as float16: their relative error of 0.0005 moves no border visibly."""


class StitchedPlanes:
    """Weighted mean of window logits, given out plane by plane as (rows, columns, classes), float32.

    Args:
        shape: (z, y, x) of the padded model grid. depth: planes of one window.
        classes: number of classes, which lie innermost in memory: one voxel's logits are one cache line.
    """

    def __init__(self, shape: Shape, depth: int, classes: int, device: torch.device | str = "cpu"):
        size = depth * shape[1] * shape[2] * classes
        dtype = torch.float32 if size * 4 <= LARGEST_FLOAT32_BYTES else torch.float16
        self._planes = shape[0]
        self._depth = depth
        self._sums = torch.zeros((depth, shape[1], shape[2], classes), dtype=dtype, device=device)
        self._weights = torch.zeros((depth, shape[1], shape[2], 1), device=device)
        self._first = 0

    def add(self, start: Shape, logits: torch.Tensor, weights: torch.Tensor) -> None:
        """Add one window: logits (classes, z, y, x), weights (z, y, x).

        Planes before start[0] must have been taken.
        """
        if start[0] < self._first or start[0] + logits.shape[1] > self._first + self._depth:
            raise ValueError("Windows must come in the order of their planes, after taking the finished ones.")
        rows = slice(start[1], start[1] + logits.shape[2])
        columns = slice(start[2], start[2] + logits.shape[3])
        values = logits.permute(1, 2, 3, 0)
        begin, plane = start[0] % self._depth, 0
        while plane < len(values):
            count = min(self._depth - begin, len(values) - plane)
            here = (slice(begin, begin + count), rows, columns)
            part = values[plane : plane + count]
            weight = weights[plane : plane + count].unsqueeze(-1)
            if self._sums.dtype == part.dtype:
                self._sums[here].addcmul_(part, weight)
            else:
                self._sums[here] += (part * weight).to(self._sums.dtype)
            self._weights[here] += weight
            plane += count
            begin = 0

    def take(self, before: int) -> Iterator[tuple[int, torch.Tensor]]:
        """The finished planes up to (not including) before, each with its number, in order."""
        while self._first < min(before, self._planes):
            slot = self._first % self._depth
            weight = self._weights[slot]
            plane = self._sums[slot].float() / weight.clamp_min(torch.finfo(torch.float32).tiny)
            plane[..., 0].masked_fill_(weight[..., 0] == 0, AIR_LOGIT)
            self._sums[slot].zero_()
            self._weights[slot].zero_()
            self._first += 1
            yield self._first - 1, plane
