"""Strokes as the network's channels of a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.interaction.prompt_values import DECAY, NEWEST, OLDEST, POINT_RADIUS
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.interaction.window import Window


def prompt_channels(strokes: Sequence[Stroke], window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the include and the exclude channel (z, y, x); strokes: the oldest first.

    A newer stroke is stronger, and takes its voxels from older ones of the other kind.
    """
    include, exclude = np.zeros((2, window.size, window.size, window.size), dtype=np.float32)
    for age, stroke in zip(range(len(strokes) - 1, -1, -1), strokes, strict=True):
        mine, other = (include, exclude) if stroke.include else (exclude, include)
        points = _shown(stroke, window)
        mine[points] = max(OLDEST, NEWEST * DECAY**age)
        other[points] = 0.0
    return include, exclude


def marked(stroke: Stroke, window: Window) -> NDArray[np.bool_]:
    """Return the points of the window (z, y, x) that a stroke marks.

    These are the points whose nearest voxel is marked, and the points nearest to marked voxels: thin strokes keep
    their voxels in a coarse window, and thick slices their thickness in a fine one.
    """
    return _at(np.concatenate([_pushed(stroke, window), _pulled(stroke, window)]), window)


def _shown(stroke: Stroke, window: Window) -> NDArray[np.bool_]:
    """The points that the network gets for a stroke: a small one is shown as the ball of a point."""
    points = marked(stroke, window)
    pushed = _pushed(stroke, window)
    if (np.ptp(pushed, axis=0) <= 2 * POINT_RADIUS).all():
        middle = pushed[np.argmin(np.square(pushed - pushed.mean(axis=0)).sum(axis=1))]
        points |= _at(_BALL + middle, window)
    return points


def _at(places: NDArray[np.intp], window: Window) -> NDArray[np.bool_]:
    """The mask of the window of places (n, 3), of which some may be outside."""
    points = np.zeros((window.size,) * 3, dtype=bool)
    inside = places[((places >= 0) & (places < window.size)).all(axis=1)]
    points[inside[:, 0], inside[:, 1], inside[:, 2]] = True
    return points


def _pushed(stroke: Stroke, window: Window) -> NDArray[np.intp]:
    """The points nearest to marked voxels."""
    places = np.argwhere(stroke.voxels) + [first for first, _ in reversed(stroke.box)]
    return np.stack([_nearest(window.to_window(axis, places[:, 2 - axis])) for axis in (2, 1, 0)], axis=1)


def _pulled(stroke: Stroke, window: Window) -> NDArray[np.intp]:
    """The points whose nearest voxel is marked."""
    columns, voxels = [], []
    for axis in (2, 1, 0):
        first, last = stroke.box[axis]
        nearest = _nearest(window.positions(axis))
        column = np.flatnonzero((nearest >= first) & (nearest < last))
        columns.append(column)
        voxels.append(nearest[column] - first)
    found = np.argwhere(stroke.voxels[np.ix_(*voxels)])
    return np.stack([column[found[:, d]] for d, column in enumerate(columns)], axis=1)


def _nearest(position: NDArray[np.float64]) -> NDArray[np.intp]:
    """The nearest whole numbers; halves go up, so that neighbours never share one."""
    return np.floor(position + 0.5).astype(np.intp)


def _ball(radius: int) -> NDArray[np.intp]:
    places = np.argwhere(np.ones((2 * radius + 1,) * 3, dtype=bool)) - radius
    return places[np.square(places).sum(axis=1) <= radius**2]


_BALL = _ball(POINT_RADIUS)
