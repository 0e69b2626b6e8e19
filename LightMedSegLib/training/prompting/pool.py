"""Made samples that are shown several times, because making one takes as long as several rounds of prompts."""

from __future__ import annotations

import numpy as np
import torch

from LightMedSegLib.training.prompting.samples import Sample, SampleMaker

_BATCHES = 16
"""Batches that fit into the pool."""


class SamplePool:
    """Draws samples, each turned at random; every draw makes some new ones, which take the place of the oldest.

    batch: samples of a batch. reuse: how often a sample is shown on average.
    """

    def __init__(self, maker: SampleMaker, batch: int, reuse: int) -> None:
        self._maker, self._reuse = maker, reuse
        self._room, self._count, self._next = _BATCHES * batch if reuse > 1 else 0, 0, 0
        self._kept: Sample | None = None

    def draw(self, count: int, generator: torch.Generator, random: np.random.Generator) -> Sample:
        """Return count samples; generator draws on the device, random decides on the processor."""
        made = count if self._count < count else -(-count // self._reuse)
        fresh = self._maker.make(made, generator, random)
        if self._room:
            self._keep(fresh, made)
        if made == count:
            return fresh
        # The new ones are shown at once, and older ones with them.
        others = random.choice(self._count, size=count - made, replace=False)
        assert self._kept is not None
        older = [Sample(*(turned(part[n : n + 1], t) for part in self._kept)) for n, t in _turns(others, random)]
        image, target, within = (torch.cat(parts) for parts in zip(fresh, *older, strict=True))
        return Sample(image, target, within)

    def _keep(self, fresh: Sample, made: int) -> None:
        if self._kept is None:
            self._kept = Sample(*(part.new_empty((self._room, *part.shape[1:])) for part in fresh))
        for n in range(made):
            for kept, part in zip(self._kept, fresh, strict=True):
                kept[self._next] = part[n]
            self._next = (self._next + 1) % self._room
            self._count = min(self._count + 1, self._room)


Turn = tuple[list[int], list[int]]


def turned(array: torch.Tensor, turn: Turn) -> torch.Tensor:
    """Return an array (1, 1, z, y, x) with its axes in another order, and some of them reversed."""
    order, reversed_axes = turn
    if len(set(array.shape[2:])) == 1:
        array = array.permute(0, 1, *order)
    return array.flip(reversed_axes) if reversed_axes else array


def _turns(numbers: np.ndarray, random: np.random.Generator) -> list[tuple[int, Turn]]:
    return [
        (int(n), ([2 + int(a) for a in random.permutation(3)], [axis for axis in (2, 3, 4) if random.random() < 0.5]))
        for n in numbers
    ]
