"""Whether the values of a CT are Hounsfield units: air, fat and soft tissue have known ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AIR_AND_LUNG = (-1_060.0, -650.0)
_TISSUE = (-220.0, 180.0)
_BIN = 20.0
_RANGE = (-4_000.0, 4_000.0)
_APART = 120.0
_LEAST_PEAK = 0.02
_LEAST_TISSUE = 0.005
_SMALLEST_SPREAD = 150.0


def looks_like_hounsfield(values: NDArray[np.float64]) -> bool:
    """Whether sorted values without padding may be Hounsfield units.

    What most voxels of a CT show is air, lung, fat or soft tissue: the two largest peaks of the values lie there. An
    offset or a factor moves at least one of them elsewhere. Some soft tissue there must be.
    """
    if not len(values) or values[-1] - values[0] < _SMALLEST_SPREAD:
        return False
    if _share(values, _TISSUE) < _LEAST_TISSUE:
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


def _share(values: NDArray[np.float64], limits: tuple[float, float]) -> float:
    first, last = np.searchsorted(values, limits)
    return float(last - first) / len(values)


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]
