"""Objects and methods of a known outcome for the benchmarks of prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, region_of
from LightMedSegLib.interaction.strokes import Change, Stroke

GRID = Grid((40, 36, 32), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))


def ball(centre: tuple[int, int, int], radius: float) -> NDArray[np.bool_]:
    """A ball (mm) around a voxel (z, y, x) of GRID."""
    z, y, x = np.ogrid[:32, :36, :40]
    return 4 * (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2


class PerfectMethod:
    """Knows the truth; painted by add_stroke, or asked by answer."""

    def __init__(self, truth: NDArray[np.bool_]) -> None:
        self.truth = truth
        self.mask = np.zeros_like(truth)

    def answer(self, stroke: Stroke) -> NDArray[np.bool_]:
        return self.truth

    def add_stroke(self, stroke: Stroke) -> Change:
        before, self.mask = self.mask, self.truth
        return Change(((0, 40), (0, 36), (0, 32)), before, self.truth)


class OnlyStrokes(PerfectMethod):
    """Completes nothing."""

    def add_stroke(self, stroke: Stroke) -> Change:
        before, self.mask = self.mask, self.mask.copy()
        self.mask[region_of(stroke.box)][stroke.voxels] = stroke.include
        return Change(((0, 40), (0, 36), (0, 32)), before, self.mask)
