"""Values that would spoil a normalisation, replaced before a volume is resampled: padding, spikes, absurd scales."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.measured_values import (
    BACKGROUND_SHARE,
    SPIKE_SPREADS,
    MeasuredValues,
    measured_box,
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
    """array: the volume's own where nothing had to be done. padding: bool (z, y, x), None where there is none.

    A value v of the volume became (v - shift) * factor. note: a sentence for the user, "" where none is needed.
    """

    array: NDArray[Any]
    shift: float = 0.0
    factor: float = 1.0
    padding: NDArray[np.bool_] | None = None
    note: str = ""

    def converted(self, value: float) -> float:
        """A value of the volume as one of array."""
        return (value - self.shift) * self.factor


def repaired(array: NDArray[Any], normalization: Mapping[str, Any]) -> Repaired:
    """array (z, y, x) of finite numbers without padding and spikes, in numbers that float32 can hold.

    A card's normalisation "zscore" does not depend on the scale of the values, so an absurd one is changed; padding is
    filled with what lies beside it, which keeps mean and deviation. In "window" values are physical: padding becomes
    air, as the usual padding of CT does by itself.
    """
    zscore = normalization["kind"] == "zscore"
    air = -np.inf if zscore else float(normalization["lower"])
    inner = measured_box(array, air)
    measured = measured_values(sample_of(array[inner]))
    if not zscore and all(value > _USUAL_PADDING for value in measured.paddings):
        # High padding stays padding.
        measured = replace(measured, above=-np.inf)
    shift, factor = _scale(measured) if zscore else (0.0, 1.0)
    largest = min(SPIKE_SPREADS * measured.spread or np.inf, _LARGEST_VALUE / factor)
    low, high = measured.low - largest, measured.high + largest
    lowest, highest = float(array.min()), float(array.max())
    sound = max(low, measured.above) < lowest and highest < min(high, measured.below)
    if sound and factor == 1 and array[inner].shape == array.shape:
        return Repaired(array)
    padding = (array <= measured.above) | (array >= measured.below)
    outside = np.ones(array.shape, dtype=bool)
    outside[inner] = False
    padding |= outside
    result = np.empty(array.shape, dtype=np.float32)
    for plane, out in zip(array, result, strict=True):
        values = plane.astype(np.float64)
        values[values < low], values[values > high] = measured.low, measured.high
        out[...] = (values - shift) * factor
    if not padding.any():
        return Repaired(result, shift, factor)
    if zscore:
        _fill(result, padding, (measured.low - shift) * factor, measured.spread * factor)
    else:
        result[padding] = air
    return Repaired(result, shift, factor, padding, _note(padding))


def _scale(measured: MeasuredValues) -> tuple[float, float]:
    """Shift and factor that bring the values near to 1000; 0 and 1 where float32 holds them well as they are."""
    farthest = max(abs(measured.low), abs(measured.high))
    usual = _USUAL_SPREAD[0] <= measured.spread <= _USUAL_SPREAD[1] and farthest <= _LARGEST_SHIFT * measured.spread
    if usual or measured.spread == 0:
        return 0.0, 1.0
    # The factor of a spread below 1e-305 would be infinite.
    return measured.low, min(_NEW_SPREAD / measured.spread, sys.float_info.max)


def _fill(array: NDArray[np.float32], padding: NDArray[np.bool_], low: float, spread: float) -> None:
    """Continue array into padding, in place; around a body that was cut out, let it be darker than all of it.

    Models know volumes with zeros around a body, and tissue beside a border that is not one.
    """
    beside = [list(_beside(array, padding, axis)) for axis in range(3)]
    middle = float(np.median(np.concatenate([part for parts in beside for part in parts])))
    if padding.mean() > BACKGROUND_SHARE and middle > low + _DARK * spread:
        array[padding] = low - spread / 2
        return
    missing = padding.copy()
    for axis in sorted(range(3), key=lambda axis: -sum(len(part) for part in beside[axis])):
        values, gaps = np.moveaxis(array, axis, 0), np.moveaxis(missing, axis, 0)
        last = len(values) - 1
        for first, step in ((1, 1), (last - 1, -1)):
            for index in range(first, last + 1 if step > 0 else -1, step):
                taken = gaps[index] & ~gaps[index - step]
                values[index][taken] = values[index - step][taken]
                gaps[index][taken] = False


def _beside(array: NDArray[Any], padding: NDArray[np.bool_], axis: int) -> Iterator[NDArray[Any]]:
    """Values of the voxels that touch padding along an axis."""
    values, mask = np.moveaxis(array, axis, 0), np.moveaxis(padding, axis, 0)
    yield values[:-1][mask[1:] & ~mask[:-1]]
    yield values[1:][mask[:-1] & ~mask[1:]]


def _note(padding: NDArray[np.bool_]) -> str:
    share = float(padding.mean())
    if share < _SHARE_TO_TELL:
        return ""
    return f"{share:.0%} of the voxels hold padding, not intensities; structures at its border may be cut."
