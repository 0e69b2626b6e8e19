"""Undo and redo, as changed boxes of one bit a voxel."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box
from LightMedSegLib.interaction.strokes import Stroke

LEVELS = 100
"""How many actions can be undone."""


@dataclass(frozen=True)
class Bits:
    """A mask (z, y, x) with eight voxels a byte."""

    shape: tuple[int, ...]
    packed: NDArray[np.uint8]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Bits:
        """The bits of mask."""
        return cls(mask.shape, np.packbits(mask))

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The mask itself; raises ValueError if there are more or fewer bits."""
        count = int(np.prod(self.shape))
        if self.packed.size != (count + 7) // 8:
            raise ValueError(f"{self.packed.size} bytes do not hold {count} bits.")
        return np.unpackbits(self.packed, count=count).view(np.bool_).reshape(self.shape)


@dataclass(frozen=True)
class Hard:
    """Voxels that the user painted and erased, in a box."""

    painted: Bits
    erased: Bits

    @classmethod
    def of(cls, hard: NDArray[np.int8]) -> Hard:
        """The bits of an array with +1 for painted and -1 for erased voxels."""
        return cls(Bits.of(hard > 0), Bits.of(hard < 0))

    @property
    def array(self) -> NDArray[np.int8]:
        """The array of +1, -1 and 0."""
        return self.painted.mask.astype(np.int8) - self.erased.mask.astype(np.int8)


@dataclass(frozen=True)
class Step:
    """One action: the mask in box and the hard voxels in hard_box, before and after; its stroke, if it was one."""

    box: Box
    before: Bits
    after: Bits
    hard_box: Box
    hard_before: Hard
    hard_after: Hard
    stroke: Stroke | None


class History:
    """The actions that can be undone, the newest last, and those that can be redone."""

    def __init__(self) -> None:
        self._done: deque[Step] = deque(maxlen=LEVELS)
        self._undone: list[Step] = []

    def add(self, step: Step) -> None:
        """Take a new action; what was undone before cannot be redone any more."""
        self._done.append(step)
        self._undone.clear()

    def back(self) -> Step | None:
        """Return the action to undo, None if there is none."""
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def forward(self) -> Step | None:
        """Return the action to redo, None if there is none."""
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]
