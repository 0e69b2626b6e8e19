"""Separation of measured values from padding and spikes, by the values of a volume alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKGROUND_SHARE = 0.3
"""If one value fills more than this share of the voxels, it is the background of a masked volume."""

SPIKE_SPREADS = 100.0
"""No tissue is this many times the spread of all values above or below them; metal in CT is at 15."""

_LARGEST_SAMPLE = 250_000
_FEWEST_VALUES = 64
_TAIL = 0.02
_MOST_PADDINGS = 4
_AIR = (-1_100.0, -900.0)
"""Value around the body in a masked CT, where fat is below zero."""

_ABRUPT = 0.2
_LEAST_PLANES = 0.01

_BELOW, _ABOVE = (0.001, 0.5), (0.01, 0.1)
"""Smallest share of the voxels that padding below and above the others has, and the share of it, in voxels half-way
between, that is allowed. Resampling makes some below; a bright tail that ends at the largest value of a scanner, such
as metal, is no padding."""

_AMID_SHARE = 0.05
_NEAR = 0.02
_TIMES_ITS_NEIGHBOURS = 3


@dataclass(frozen=True)
class MeasuredValues:
    """Limits of the measured values: strictly between ``above`` and ``below``; -inf and inf without padding.

    low, high: range of the measured values without the outermost 2 % on either side. share: share of the voxels that
    are padding. paddings: the values of the padding.
    """

    low: float
    high: float
    above: float = -math.inf
    below: float = math.inf
    share: float = 0.0
    paddings: tuple[float, ...] = ()

    @property
    def spread(self) -> float:
        """The difference of high and low."""
        return self.high - self.low


def sample_of(array: NDArray[Any]) -> NDArray[np.float64]:
    """Return the finite values of a regular subset of the voxels (z, y, x), ascending; of a small volume all."""
    step = math.ceil((array.size / _LARGEST_SAMPLE) ** (1 / 3))
    values = np.sort(array[::step, ::step, ::step], axis=None).astype(np.float64)
    return values[np.isfinite(values)]


def measured_values(values: NDArray[np.float64]) -> MeasuredValues:
    """Return the limits of the measured values among sorted values.

    Padding is a single value of many voxels at one end of the range, farther from all other values than these are
    spread. Zeros below positive values count as padding only if they are few: a masked volume has zeros in the
    background, and models are trained on such volumes.
    """
    first, last = 0, len(values)
    above, below = -math.inf, math.inf
    paddings: list[float] = []
    while len(paddings) < _MOST_PADDINGS:
        inner = values[first:last]
        if _is_padding(inner, _BELOW) and not _is_air(inner):
            paddings.append(float(inner[0]))
            first += int(np.searchsorted(inner, inner[0], side="right"))
            above = (float(paddings[-1]) + _tails(values[first:last])[0]) / 2
            first = int(np.searchsorted(values, above, side="right"))
        elif _is_padding(-inner[::-1], _ABOVE):
            paddings.append(float(inner[-1]))
            last = first + int(np.searchsorted(inner, inner[-1], side="left"))
            below = (float(paddings[-1]) + _tails(values[first:last])[1]) / 2
            last = int(np.searchsorted(values, below, side="left"))
        else:
            break
    low, high = _tails(values[first:last])
    return MeasuredValues(low, high, above, below, 1 - (last - first) / max(1, len(values)), tuple(paddings))


def measured_box(array: NDArray[Any], air: float = -math.inf) -> tuple[slice, slice, slice]:
    """Return array (z, y, x) without outer planes that have one value everywhere and end abruptly.

    In a masked volume, the next plane also has that value nearly everywhere. Planes with a value of air or below are
    no padding, nor are those of a volume of constant planes.
    """
    slices = [slice(0, size) for size in array.shape]
    for axis in range(3):
        for step in (1, -1):
            planes = np.moveaxis(array[tuple(slices)], axis, 0)[::step]
            value = planes[0].flat[0]
            length, count = len(planes), 0
            while count < length and bool((planes[count] == value).all()):
                count += 1
            if not _LEAST_PLANES * length <= count < length or count == 0 or value <= air:
                continue
            # Where the next plane holds one value, too, planes are what the volume is made of.
            if bool((planes[count] == planes[count].flat[0]).all()):
                continue
            abrupt = float((planes[count] == value).mean()) < _ABRUPT
            if abrupt and not (value == 0 and count > BACKGROUND_SHARE * length):
                first, last = slices[axis].start, slices[axis].stop
                slices[axis] = slice(first + count, last) if step > 0 else slice(first, last - count)
    return slices[0], slices[1], slices[2]


def plateau_amid(values: NDArray[np.float64], measured: MeasuredValues) -> tuple[float, float] | None:
    """Return a value within the measured range that far too many voxels have, and its share; None if there is none.

    Such padding has a value that also occurs in tissue, so single voxels cannot be classified.
    """
    inner = values[(values > measured.above) & (values < measured.below)]
    found, counts = np.unique(inner, return_counts=True)
    if len(found) < _FEWEST_VALUES:
        return None
    most = int(counts.argmax())
    value, count = float(found[most]), int(counts[most])
    rest = np.concatenate((found[:most].repeat(counts[:most]), found[most + 1 :].repeat(counts[most + 1 :])))
    low, high = _tails(rest)
    near = np.searchsorted(inner, [value - (high - low) * _NEAR, value + (high - low) * _NEAR])
    alone = count > _TIMES_ITS_NEIGHBOURS * (int(near[1] - near[0]) - count)
    share = count / len(values)
    return (value, share) if share >= _AMID_SHARE and alone and low < value < high else None


def _is_padding(values: NDArray[np.float64], limits: tuple[float, float]) -> bool:
    """Return whether the lowest of the sorted values is padding."""
    if len(values) < _FEWEST_VALUES:
        return False
    (least, between), lowest = limits, values[0]
    count = int(np.searchsorted(values, lowest, side="right"))
    rest = values[count:]
    if count < max(2, least * len(values)) or len(rest) < _FEWEST_VALUES:
        return False
    low, high = _tails(rest)
    if lowest == 0 and count > BACKGROUND_SHARE * len(values):
        return False
    half_way = int(np.searchsorted(rest, lowest + (low - lowest) / 2, side="right"))
    return half_way < between * count and low - lowest > high - low > 0


def _is_air(values: NDArray[np.float64]) -> bool:
    """Return whether the lowest of the sorted values is the background of a masked CT."""
    return bool(_AIR[0] <= values[0] <= _AIR[1] and _tails(values)[0] < 0)


def _tails(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 2nd and 98th percentile, without the lowest value if many voxels have it."""
    if not len(values):
        return 0.0, 0.0
    rest = values[int(np.searchsorted(values, values[0], side="right")) :]
    rest = rest if len(rest) >= _FEWEST_VALUES else values
    edge = int(len(rest) * _TAIL)
    return float(rest[edge]), float(rest[-1 - edge])
