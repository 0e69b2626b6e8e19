"""What is held out of the training to test it: whole cases by turns, or with a single case one half of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

GAP_VOXELS = 2
"""Left out on both sides of the cut, where the halves would know each other."""

_SMALLEST_EXTENT = 8
_QUANTILES = (0.4, 0.45, 0.5, 0.55, 0.6)
_ENOUGH = 0.2


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


def plan_parts(scans: Sequence[Sequence[str]], most: int, only: PreparedCase | None = None) -> list[Part]:
    """The turns for these scans, each with its cases, at most so many; only is a case of a scan that is the only one.

    Cases of one scan are held out together: a test on what was trained on shows nothing. A single scan has one turn,
    not two, because the time of a second is better spent on a longer training; only one of its cases is used, because
    the other ones may overlap with it. None where its structures are too small to be cut.
    """
    if len(scans) == 1 and only is not None:
        cut = best_cut(only)
        if cut is None:
            return []
        lower, upper = (Piece(only.name, Half(*cut, upper=side)) for side in (False, True))
        return [Part((lower,), (upper,))]
    count = min(len(scans), most)
    groups = [tuple(Piece(case_id) for scan in scans[number::count] for case_id in scan) for number in range(count)]
    return [
        Part(tuple(piece for other, group in enumerate(groups) if other != number for piece in group), groups[number])
        for number in range(count)
    ]


def best_cut(case: PreparedCase) -> tuple[int, int] | None:
    """Axis and index of the cut that leaves much of many structures on both sides; None for tiny structures.

    Most structures of which each side holds enough to judge by; then the largest mean of their smaller shares.
    """
    known = case.labels != IGNORED
    structures = known & (case.labels > 0)
    voxels = np.argwhere(structures if structures.any() else known)
    values = case.labels[tuple(voxels.T)]
    best: tuple[tuple[int, float], int, int] | None = None
    for axis in range(3):
        places = voxels[:, axis]
        if np.ptp(places) < _SMALLEST_EXTENT:
            continue
        for cut in np.unique(np.quantile(places, _QUANTILES).astype(int)).tolist():
            shares = _smaller_shares(places < cut, values)
            score = int(np.count_nonzero(shares >= _ENOUGH)), float(shares.mean())
            if best is None or score > best[0]:
                best = (score, axis, cut)
    return None if best is None else best[1:]


def _smaller_shares(below: NDArray[np.bool_], values: NDArray[np.uint8]) -> NDArray[np.float64]:
    """For each structure the share of it on the side that holds less."""
    total = np.bincount(values)
    lower = np.bincount(values, weights=below, minlength=len(total))
    share = lower[total > 0] / total[total > 0]
    return np.asarray(np.minimum(share, 1 - share), dtype=np.float64)
