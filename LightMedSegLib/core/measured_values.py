"""Which of a volume's values were measured: padding and spikes are told from them by the values alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BACKGROUND_SHARE = 0.3
"""A single value in more of the voxels than this is the background of a volume that was cut out of another one."""

SPIKE_SPREADS = 100.0
"""No tissue lies this many times the spread of all values above or below them; metal in CT lies at 15."""

_LARGEST_SAMPLE = 250_000
_FEWEST_VALUES = 64
_TAIL = 0.02
_MOST_PADDINGS = 4
_AIR = (-1_100.0, -900.0)
"""Around a body from which everything else was cleared, in CT, where fat lies below zero."""

_ABRUPT = 0.2
_LEAST_PLANES = 0.01

_BELOW, _ABOVE = (0.001, 0.5), (0.01, 0.1)
"""The least share of the voxels that padding has below and above the others, and how many voxels, as a share of the
padding, lie half-way. Resampling makes some below; the bright tail that ends at a scanner's largest value, such as
metal, must not pass for padding."""

_AMID_SHARE = 0.05
_NEAR = 0.02
_TIMES_ITS_NEIGHBOURS = 3


@dataclass(frozen=True)
class MeasuredValues:
    """Values strictly above ``above`` and below ``below`` were measured; -inf and inf where there is no padding.

    low, high: between them lie all measured values but the outermost 2 % on either side. share: of the voxels that hold
    padding. paddings: their values.
    """

    low: float
    high: float
    above: float = -math.inf
    below: float = math.inf
    share: float = 0.0
    paddings: tuple[float, ...] = ()

    @property
    def spread(self) -> float:
        """From low to high."""
        return self.high - self.low


def sample_of(array: NDArray[Any]) -> NDArray[np.float64]:
    """Finite values of a regular part of the voxels (z, y, x), in rising order; of a small volume all."""
    step = math.ceil((array.size / _LARGEST_SAMPLE) ** (1 / 3))
    values = np.sort(array[::step, ::step, ::step], axis=None).astype(np.float64)
    return values[np.isfinite(values)]


def measured_values(values: NDArray[np.float64]) -> MeasuredValues:
    """What of sorted values was measured.

    Padding is one value, held by many voxels, at the end of all values and far from all others: farther than the others
    are spread. Zeros below values that are all positive count as padding only where they are few: the rest of a volume
    that something was cut out of holds zeros, and models know that.
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
    """array (z, y, x) without the outer planes that hold one value all over and end abruptly.

    Beside a body that was cut out of a volume, the next plane has that value nearly everywhere, too. Planes of a value
    up to air are no padding, nor are those of a volume of constant planes.
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
    """A value amid the measured ones that far too many of the sorted values have, and its share; None if there is none.

    Such is padding with a value that tissue has as well: it cannot be told from tissue voxel by voxel.
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
    """Whether the lowest of sorted values is padding."""
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
    """Whether the lowest of sorted values is what surrounds a body in CT."""
    return bool(_AIR[0] <= values[0] <= _AIR[1] and _tails(values)[0] < 0)


def _tails(values: NDArray[np.float64]) -> tuple[float, float]:
    """The values that 2 % of all lie below and above; the lowest value itself, where many have it, does not count."""
    if not len(values):
        return 0.0, 0.0
    rest = values[int(np.searchsorted(values, values[0], side="right")) :]
    rest = rest if len(rest) >= _FEWEST_VALUES else values
    edge = int(len(rest) * _TAIL)
    return float(rest[edge]), float(rest[-1 - edge])
