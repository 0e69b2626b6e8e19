"""How well doubt tells where a result is wrong: of voxels near structures, of slices, of places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from calibration import NEAR_VOXELS
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import region_of
from LightMedSegLib.doubt.places import DoubtfulPlace
from LightMedSegLib.evaluation.metrics import dice
from LightMedSegLib.learning.prepared_case import IGNORED

SHARE = 0.1
"""Of the slices, or of the voxels of a scan, that somebody looks at."""


@dataclass(frozen=True)
class Judged:
    """A result and its truth. All arrays are (z, y, x).

    known: where the truth is known. near: the known voxels within NEAR_VOXELS of a structure, true or found. wrong:
    the known voxels whose label is not the true one. doubt: 0 where nothing is known.
    """

    known: NDArray[np.bool_]
    near: NDArray[np.bool_]
    wrong: NDArray[np.bool_]
    doubt: NDArray[np.uint8]


def judge(
    labels: NDArray[np.uint8], truth: NDArray[np.uint8], doubt: NDArray[np.uint8], values: Sequence[int]
) -> Judged:
    """Compare labels with truth; nothing is known where either is none of values, nor 0."""
    known = np.isin(labels, [0, *values]) & np.isin(truth, [0, *values]) & (truth != IGNORED)
    structures = sitk.GetImageFromArray((known & ((labels > 0) | (truth > 0))).view(np.uint8))
    grown = sitk.GetArrayFromImage(sitk.BinaryDilate(structures, [NEAR_VOXELS] * 3, sitk.sitkBox)) > 0
    return Judged(known, grown & known, known & (labels != truth), np.where(known, doubt, 0).astype(np.uint8))


def dice_of(labels: NDArray[np.uint8], truth: NDArray[np.uint8], known: NDArray[np.bool_], value: int) -> float:
    """The Dice of one structure where the truth is known; nan where it is in neither."""
    return dice(known & (labels == value), known & (truth == value))


def area_under_curve(values: NDArray[np.uint8], positive: NDArray[np.bool_]) -> float:
    """The share of pairs of a positive and another voxel where the positive one has the greater value; ties are half.

    nan where there is no pair.
    """
    yes, no = (np.bincount(values[mask], minlength=256).astype(np.float64) for mask in (positive, ~positive))
    if not yes.sum() or not no.sum():
        return float("nan")
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


@dataclass(frozen=True)
class SliceShares:
    """Shares of the wrong voxels in a tenth of the slices across axis (x, y, z).

    proposed: those with the most doubt. best: those with the most wrong voxels, which nobody can beat. tenth: every
    tenth, mean over where it begins. random: at random, mean.
    """

    axis: str
    proposed: float
    best: float
    tenth: float
    random: float


def slice_shares(judged: Judged) -> SliceShares:
    """The shares across the axis along which the doubt is most concentrated."""
    found = max(range(3), key=lambda axis: _first(*(_by_slice(judged.doubt, axis),) * 2))
    doubt, wrong = _by_slice(judged.doubt, found), _by_slice(judged.wrong, found)
    steps = round(1 / SHARE)
    tenth = float(np.mean([wrong[start::steps].sum() for start in range(steps)]) / wrong.sum())
    random = _looked_at(len(wrong)) / len(wrong)
    return SliceShares("xyz"[found], _first(doubt, wrong), _first(wrong, wrong), tenth, random)


def place_share(judged: Judged, places: Sequence[DoubtfulPlace]) -> float:
    """The share of the wrong voxels in the boxes of the first places, a tenth of the scan's voxels in all."""
    seen = np.zeros(judged.wrong.shape, dtype=bool)
    for place in places:
        seen[region_of(place.box)] = True
        if seen.sum() > SHARE * seen.size:
            break
    return float((judged.wrong & seen).sum() / judged.wrong.sum())


def _by_slice(array: NDArray[Any], axis: int) -> NDArray[np.float64]:
    return np.asarray(array.sum(axis=tuple(dim for dim in range(3) if dim != 2 - axis), dtype=np.float64))


def _first(order: NDArray[np.float64], counted: NDArray[np.float64]) -> float:
    chosen = np.argsort(-order, kind="stable")[: _looked_at(len(order))]
    return float(counted[chosen].sum() / max(counted.sum(), 1.0))


def _looked_at(slices: int) -> int:
    return max(1, round(SHARE * slices))
