"""Values that would spoil a normalisation, replaced before a volume is resampled: padding, spikes, absurd scales."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.measured_values import (
    BACKGROUND_SHARE,
    SPIKE_SPREADS,
    MeasuredValues,
    measured_values,
    sample_of,
)

_USUAL_PADDING = -4_000.0
"""CT scanners pad with -1024, -2000 or -3024, which a window turns into air, as it should be."""

_USUAL_SPREAD = (1e-3, 1e7)
_LARGEST_SHIFT = 1e4
_NEW_SPREAD = 1e3
_LARGEST_VALUE = 1e30

_DARK = 0.2
"""Voxels beside the padding that are this near to the lowest ones, as a share of the spread, are air."""

_SHARE_TO_TELL = 0.1


@dataclass(frozen=True)
class Repaired:
    """array: the volume's own where nothing had to be done. note: a sentence for the user, "" where none is needed.

    A value v of the volume became (v - shift) * factor.
    """

    array: NDArray[Any]
    shift: float = 0.0
    factor: float = 1.0
    note: str = ""

    def converted(self, value: float) -> float:
        """A value of the volume as one of array."""
        return (value - self.shift) * self.factor


def repaired(array: NDArray[Any], normalization: Mapping[str, Any]) -> Repaired:
    """array (z, y, x) of finite numbers without padding and spikes, in numbers that float32 can hold.

    A card's normalisation "zscore" does not depend on the scale of the values, so an absurd one is changed. In "window"
    they are physical, and the usual padding of CT is left to the window.
    """
    measured = measured_values(sample_of(array))
    zscore = normalization["kind"] == "zscore"
    if not zscore and measured.above > _USUAL_PADDING / 2:
        measured = replace(measured, above=-np.inf)
    shift, factor = _scale(measured) if zscore else (0.0, 1.0)
    largest = min(SPIKE_SPREADS * measured.spread or np.inf, _LARGEST_VALUE / factor)
    low, high = measured.low - largest, measured.high + largest
    lowest, highest = float(array.min()), float(array.max())
    if max(low, measured.above) < lowest and highest < min(high, measured.below) and factor == 1:
        return Repaired(array)
    padding = (array <= measured.above) | (array >= measured.below)
    fill = _fill(array, padding, measured) if zscore else float(normalization["lower"])
    result = np.empty(array.shape, dtype=np.float32)
    for plane, part, out in zip(array, padding, result, strict=True):
        values = plane.astype(np.float64)
        values[values < low], values[values > high] = measured.low, measured.high
        values[part] = fill
        out[...] = (values - shift) * factor
    return Repaired(result, shift, factor, _note(padding, measured))


def _scale(measured: MeasuredValues) -> tuple[float, float]:
    """Shift and factor that bring the values near to 1000; 0 and 1 where float32 holds them well as they are."""
    farthest = max(abs(measured.low), abs(measured.high))
    usual = _USUAL_SPREAD[0] <= measured.spread <= _USUAL_SPREAD[1] and farthest <= _LARGEST_SHIFT * measured.spread
    return (0.0, 1.0) if usual or measured.spread == 0 else (measured.low, _NEW_SPREAD / measured.spread)


def _fill(array: NDArray[Any], padding: NDArray[np.bool_], measured: MeasuredValues) -> float:
    """What padding becomes: as its surroundings, so that it does not change mean and deviation.

    Around a body that was cut out it becomes darker than all of it, as in volumes that hold zeros there.
    """
    beside = np.concatenate(list(_beside(array, padding)))
    middle = float(np.median(beside)) if len(beside) else measured.low
    cut_out = padding.mean() > BACKGROUND_SHARE and middle > measured.low + _DARK * measured.spread
    return measured.low - measured.spread / 2 if cut_out else middle


def _beside(array: NDArray[Any], padding: NDArray[np.bool_]) -> Iterator[NDArray[Any]]:
    """Values of the voxels that touch padding, axis by axis."""
    for axis in range(3):
        values, mask = np.moveaxis(array, axis, 0), np.moveaxis(padding, axis, 0)
        yield values[:-1][mask[1:] & ~mask[:-1]]
        yield values[1:][mask[:-1] & ~mask[1:]]


def _note(padding: NDArray[np.bool_], measured: MeasuredValues) -> str:
    share = float(padding.mean())
    if share < _SHARE_TO_TELL:
        return ""
    values = " and ".join(f"{value:g}" for value in measured.paddings)
    return f"{share:.0%} of the voxels hold padding ({values}), not intensities; what lies at their border may be cut."
