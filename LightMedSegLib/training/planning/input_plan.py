"""The input that scans suggest: spacing, patch and normalisation, in a size that the computer trains.

The rules are in the spirit of nnU-Net's (Isensee et al., nnU-Net: a self-configuring method for deep learning-based
biomedical image segmentation, Nature Methods 18, 203, 2021): the median spacing of the scans, or nearly the finest
along an axis of thick slices; intensities of CT by what the structures have in all scans, of anything else by each
volume. The patch is another: it shows the largest structure with its surroundings, on larger voxels where it would be
too large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.model.drafts import UNKNOWN_MODALITY
from LightMedSegLib.training.planning.scan_facts import ORIENTATION, ScanFacts

STRIDE = 16
"""Sizes of a patch are multiples of it: the network halves its input four times."""

SMALL_PATCH = 64**3
"""Voxels of the largest patch that a small computer trains."""

CT = "CT"

_CONTEXT_MM = 16.0
"""What a patch shows on each side of the largest structure, where the scan has as much."""

_SHARE = 0.6
"""Of the largest structure: what a patch shows at least before voxels become larger."""

_COARSER = 1.05
_CLIPPED = (0.5, 99.5)
_MARGIN_HU = (50.0, 200.0)
_AIR_HU = -1024.0
"""Nothing is darker in CT; structures with air and bone in them would else get a window twice as wide as all tissue."""

_THICK = 3.0
_FINE_PERCENTILE = 10


@dataclass(frozen=True)
class Limits:
    """Most voxels of a patch, and of all scans on the model grid, each filled up to the size of the largest."""

    patch: int = SMALL_PATCH
    stored: float = math.inf


DEFAULT_LIMITS = Limits()


def plan_input(scans: Sequence[ScanFacts], limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return the input description of the card of a model of one channel for scans like these."""
    spacing = median_spacing(scans)
    size = np.max([scan.size for scan in scans], axis=0)
    extent = np.max([scan.extent for scan in scans], axis=0)
    seen = np.minimum(extent + 2 * _CONTEXT_MM, size)
    if np.prod(seen / spacing) > limits.patch:
        seen = np.minimum(np.maximum(_SHARE * extent, 4 * _CONTEXT_MM), seen)
    least = float(spacing.min())
    while (
        np.prod(seen / np.maximum(spacing, least)) > limits.patch
        or len(scans) * np.prod(size / np.maximum(spacing, least)) > limits.stored
    ):
        least *= _COARSER
    spacing = np.maximum(spacing, least)
    patch = [max(1, math.ceil(length / STRIDE - 0.25)) * STRIDE for length in seen / spacing]
    return {
        "channels": [{"name": modality_of(scans), "normalization": plan_normalization(scans)}],
        "spacing_mm": [round(float(step), 3) for step in spacing],
        "orientation": ORIENTATION,
        "patch": patch[::-1],
        "view": "windows",
        "overlap": 0.5,
        "background_value": None,
    }


def median_spacing(scans: Sequence[ScanFacts]) -> NDArray[np.float64]:
    """Return the median spacing of the scans (x, y, z) in mm; along an axis of thick slices the finest tenth's."""
    spacings = np.array([scan.spacing for scan in scans])
    spacing = np.median(spacings, axis=0)
    voxels = np.median([np.divide(scan.size, scan.spacing) for scan in scans], axis=0)
    worst = int(np.argmax(spacing))
    others = [axis for axis in range(3) if axis != worst]
    if spacing[worst] > _THICK * spacing[others].max() and _THICK * voxels[worst] < voxels[others].min():
        finest = float(np.percentile(spacings[:, worst], _FINE_PERCENTILE))
        spacing[worst] = max(finest, float(spacing[others].max()))
    return spacing


def modality_of(scans: Sequence[ScanFacts]) -> str:
    """Return the modality that all scans have, or UNKNOWN_MODALITY."""
    found = {scan.modality for scan in scans}
    known = found.pop() if len(found) == 1 else ""
    # A header can hold any text; a card takes letters only.
    return known if known.isalpha() and len(known) > 1 else UNKNOWN_MODALITY


def clean_up(scans: Sequence[ScanFacts], labels: int) -> list[dict[str, Any]]:
    """Return the postprocessing of the card: a structure with one component in every scan keeps its largest one."""
    single = [value for value in range(1, labels + 1) if all(value in scan.connected for scan in scans)]
    return [{"operation": "keep_largest_component", "labels": single, "joint": False}] if single else []


def plan_normalization(scans: Sequence[ScanFacts]) -> dict[str, Any]:
    """Return a window around the structures' Hounsfield units for CT, else a z-score of each volume."""
    if modality_of(scans) != CT:
        return {"kind": "zscore", "clip_percentiles": list(_CLIPPED)}
    low, high = np.percentile(np.concatenate([scan.inside for scan in scans]), _CLIPPED)
    least, most = _MARGIN_HU
    margin = min(most, max(least, 0.5 * float(high - low)))
    lower, upper = max(_AIR_HU, float(low) - margin), float(high) + margin
    values = np.clip(np.concatenate([scan.around for scan in scans]), lower, upper)
    mean, deviation = float(values.mean()), max(1.0, float(values.std()))
    return {
        "kind": "window",
        "lower": round(lower, 1),
        "upper": round(upper, 1),
        "mean": round(mean, 2),
        "std": round(deviation, 2),
    }
