"""The folds of a fine-tuning: each holds out whole cases or, with a single case, one half of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

GAP_VOXELS = 2
"""Voxels left out on both sides of the cut, so that the halves stay independent."""

_SMALLEST_EXTENT = 8
_QUANTILES = (0.4, 0.45, 0.5, 0.55, 0.6)
_ENOUGH = 0.2


@dataclass(frozen=True)
class Half:
    """One side of a cut across a case along axis (z, y, x): indices below cut, or from cut on if upper."""

    axis: int
    cut: int
    upper: bool

    def of(self, case: PreparedCase) -> PreparedCase:
        """Return the case with all voxels outside this half IGNORED."""
        labels = np.full_like(case.labels, IGNORED)
        first = self.cut + GAP_VOXELS if self.upper else 0
        last = case.labels.shape[self.axis] if self.upper else self.cut - GAP_VOXELS
        index = [slice(None)] * 3
        index[self.axis] = slice(first, max(first, last))
        labels[tuple(index)] = case.labels[tuple(index)]
        return PreparedCase(case.name, case.image, labels, case.labelled)


@dataclass(frozen=True)
class FoldCase:
    """A case of a fold, or a half of one."""

    case_id: str
    half: Half | None = None

    def of(self, case: PreparedCase) -> PreparedCase:
        """Return the case, reduced to the half where there is one."""
        return case if self.half is None else self.half.of(case)


@dataclass(frozen=True)
class Fold:
    """The cases of one training and those held out to test it (none for the candidate itself)."""

    train: tuple[FoldCase, ...]
    test: tuple[FoldCase, ...]


def plan_folds(scans: Sequence[Sequence[str]], most: int, only: PreparedCase | None = None) -> list[Fold]:
    """Return at most ``most`` folds of the scans, each scan given by its case identifiers.

    only: the case to cut in two if there is a single scan. The cases of one scan are held out together, because a test
    on training data shows nothing. A single scan gives one fold, not two, because the time of a second one is better
    spent on a longer training; only one of its cases is used, because the others may overlap with it. The list is
    empty if the structures of a single scan are too small to be cut.
    """
    if len(scans) == 1 and only is not None:
        cut = best_cut(only)
        if cut is None:
            return []
        lower, upper = (FoldCase(only.name, Half(*cut, upper=side)) for side in (False, True))
        return [Fold((lower,), (upper,))]
    count = min(len(scans), most)
    groups = [tuple(FoldCase(case_id) for scan in scans[number::count] for case_id in scan) for number in range(count)]
    return [
        Fold(
            tuple(fold_case for other, group in enumerate(groups) if other != number for fold_case in group),
            groups[number],
        )
        for number in range(count)
    ]


def best_cut(case: PreparedCase) -> tuple[int, int] | None:
    """Return axis and index of the cut that divides the structures best; None for structures too small to be cut.

    The best cut leaves enough of most structures on both sides; ties go to the largest mean of the smaller shares.
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
    """Return, for each structure, the share of its voxels on the side that holds fewer."""
    total = np.bincount(values)
    lower = np.bincount(values, weights=below, minlength=len(total))
    share = lower[total > 0] / total[total > 0]
    return np.asarray(np.minimum(share, 1 - share), dtype=np.float64)
