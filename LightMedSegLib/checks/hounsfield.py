"""Check that the values of a CT are Hounsfield units, by the known values of air, fat and soft tissue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_AIR_AND_LUNG = (-1_060.0, -650.0)
_TISSUE = (-220.0, 180.0)
_BIN = 20.0
_RANGE = (-4_000.0, 4_000.0)
_APART = 120.0
_LEAST_PEAK = 0.02
_LEAST_TISSUE = 0.005
_BODY_MM = (60.0, 100.0, 100.0)
_AIR_AT_MOST, _BONE_AT_LEAST = -500.0, 200.0
_SMALLEST_SPREAD = 150.0


def looks_like_hounsfield(values: NDArray[np.float64], extent_mm: Sequence[float]) -> bool:
    """Return whether sorted values without padding can be Hounsfield units, in a volume of extent_mm.

    Most voxels of a CT are air, lung, fat or soft tissue, so the two largest peaks of the histogram are there. A wrong
    offset or scale moves at least one of them. There must be some soft tissue and, in a volume larger than a crop, some
    air or lung and some bone.
    """
    values = _without_scanner_padding(values)
    if not len(values) or values[-1] - values[0] < _SMALLEST_SPREAD:
        return False
    if _share(values, _TISSUE) < _LEAST_TISSUE:
        return False
    crop = any(length < least for length, least in zip(sorted(extent_mm), _BODY_MM, strict=True))
    if not crop and (values[0] > _AIR_AT_MOST or values[-1] < _BONE_AT_LEAST):
        return False
    edges = np.arange(_RANGE[0], _RANGE[1] + _BIN, _BIN)
    counts = np.histogram(values, edges)[0] / len(values)
    smooth = np.convolve(counts, np.ones(3), mode="same")
    middles = edges[:-1] + _BIN / 2
    first = int(smooth.argmax())
    others = np.where(np.abs(middles - middles[first]) > _APART, smooth, 0.0)
    second = int(others.argmax())
    peaks = [float(middles[first]), *([float(middles[second])] if others[second] >= _LEAST_PEAK else [])]
    return all(_within(peak, _AIR_AND_LUNG) or _within(peak, _TISSUE) for peak in peaks)


def _without_scanner_padding(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values without the lowest one if only that is below air: scanners fill the corners of slices with it."""
    rest = values[int(np.searchsorted(values, values[0], side="right")) :] if len(values) else values
    return rest if len(rest) and rest[len(rest) // 100] >= _AIR_AND_LUNG[0] > values[0] else values


def _share(values: NDArray[np.float64], limits: tuple[float, float]) -> float:
    first, last = np.searchsorted(values, limits)
    return float(last - first) / len(values)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
