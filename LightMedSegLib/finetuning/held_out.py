"""What is held out of the training to test it: whole cases by turns, or with a single case one half of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.training.preparation import IGNORED, PreparedCase

GAP_VOXELS = 2
"""Left out on both sides of the cut, where the halves would know each other."""

_SMALLEST_EXTENT = 8


@dataclass(frozen=True)
class Half:
    """One side of a cut across a case: the voxels below cut along axis (z, y, x), or those from it on."""

    axis: int
    cut: int
    upper: bool

    def of(self, case: PreparedCase) -> PreparedCase:
        """The case with everything else IGNORED."""
        labels = np.full_like(case.labels, IGNORED)
        first = self.cut + GAP_VOXELS if self.upper else 0
        last = case.labels.shape[self.axis] if self.upper else self.cut - GAP_VOXELS
        index = [slice(None)] * 3
        index[self.axis] = slice(first, max(first, last))
        labels[tuple(index)] = case.labels[tuple(index)]
        return PreparedCase(case.name, case.image, labels, case.labelled)


@dataclass(frozen=True)
class Piece:
    """A case, or a half of it."""

    case_id: str
    half: Half | None = None

    def of(self, case: PreparedCase) -> PreparedCase:
        """What of the case belongs to the piece."""
        return case if self.half is None else self.half.of(case)


@dataclass(frozen=True)
class Part:
    """One training: what is learnt from, and what it is tested on (nothing, for the candidate itself)."""

    train: tuple[Piece, ...]
    test: tuple[Piece, ...]


def plan_parts(case_ids: Sequence[str], most: int, only: PreparedCase | None = None) -> list[Part]:
    """The turns for these cases, at most so many; only is the case itself where there is a single one.

    A single case has one turn, not two, because the time of a second is better spent on a longer training. None where
    its structures are too small to be cut.
    """
    if len(case_ids) == 1 and only is not None:
        cut = best_cut(only)
        if cut is None:
            return []
        lower, upper = (Piece(only.name, Half(*cut, upper=side)) for side in (False, True))
        return [Part((lower,), (upper,))]
    count = min(len(case_ids), most)
    groups = [tuple(Piece(case_id) for case_id in case_ids[number::count]) for number in range(count)]
    return [
        Part(tuple(piece for other, group in enumerate(groups) if other != number for piece in group), groups[number])
        for number in range(count)
    ]


def best_cut(case: PreparedCase) -> tuple[int, int] | None:
    """Axis and index of the cut that leaves most of every structure on both sides; None for tiny structures."""
    known = case.labels != IGNORED
    structures = known & (case.labels > 0)
    voxels = np.argwhere(structures if structures.any() else known)
    values = case.labels[tuple(voxels.T)]
    best: tuple[float, int, int] | None = None
    for axis in range(3):
        places = voxels[:, axis]
        if np.ptp(places) < _SMALLEST_EXTENT:
            continue
        cut = int(np.median(places))
        share = _smallest_share(places < cut, values)
        if best is None or share > best[0]:
            best = (share, axis, cut)
    return None if best is None else best[1:]


def _smallest_share(below: NDArray[np.bool_], values: NDArray[np.uint8]) -> float:
    shares = [float(below[values == value].mean()) for value in np.unique(values)]
    return min(min(share, 1 - share) for share in shares)
