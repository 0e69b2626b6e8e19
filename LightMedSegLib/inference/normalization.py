"""Bringing intensities to the range a model was trained on, as its card says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LARGEST_SAMPLE = 4_000_000
_SMALLEST_DEVIATION = 1e-7
"""As a share of the largest value: below it lies float32's rounding of a constant volume."""


def normalize(volume: NDArray[np.float32], normalization: Mapping[str, Any]) -> None:
    """Normalise volume (z, y, x) in place.

    kind "zscore": clip to the two clip_percentiles, then subtract the mean and divide by
    the standard deviation, all over the given volume. A constant volume becomes zero.
    kind "window": clip to lower and upper, then (x - mean) / std.

    Raises ValueError for an unknown kind.
    """
    kind = normalization["kind"]
    if kind == "zscore":
        _zscore(volume, normalization["clip_percentiles"])
    elif kind == "window":
        lower, upper = float(normalization["lower"]), float(normalization["upper"])
        np.clip(volume, lower, upper, out=volume)
        volume -= np.float32(normalization["mean"])
        volume /= np.float32(normalization["std"])
    else:
        raise ValueError(f"Unknown normalisation {kind!r}; known are zscore and window.")


def percentiles(volume: NDArray[np.float32], values: tuple[float, float]) -> tuple[float, float]:
    """Two percentiles of volume.

    Exact up to four million voxels. Above that every n-th voxel counts, n odd: a fixed choice, so the same
    volume gives the same result again, and far more samples than the percentiles of a card can tell apart.
    """
    step = -(-volume.size // _LARGEST_SAMPLE) | 1 if volume.size > _LARGEST_SAMPLE else 1
    lower, upper = np.percentile(volume.reshape(-1)[::step], (values[0], values[1]))
    return float(lower), float(upper)


def _zscore(volume: NDArray[np.float32], clip_percentiles: tuple[float, float]) -> None:
    lower, upper = percentiles(volume, clip_percentiles)
    np.clip(volume, lower, upper, out=volume)
    mean = float(volume.mean(dtype=np.float64))
    volume -= np.float32(mean)
    deviation = float(np.sqrt(np.mean(np.square(volume), dtype=np.float64)))
    smallest = _SMALLEST_DEVIATION * max(abs(lower), abs(upper))
    volume /= np.float32(max(deviation, smallest) or 1.0)
