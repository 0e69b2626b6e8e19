"""Strokes as the network's channels of a window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.interaction.encoding import DECAY, NEWEST, OLDEST, POINT_RADIUS
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.interaction.window import Window


def prompt_channels(strokes: Sequence[Stroke], window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the include and the exclude channel (z, y, x); strokes: the oldest first.

    A newer stroke is stronger, and takes its voxels from older ones of the other kind.
    """
    include, exclude = np.zeros((2, window.size, window.size, window.size), dtype=np.float32)
    for age, stroke in zip(range(len(strokes) - 1, -1, -1), strokes, strict=True):
        mine, other = (include, exclude) if stroke.include else (exclude, include)
        marked = marked_points(stroke, window)
        mine[marked] = max(OLDEST, NEWEST * DECAY**age)
        other[marked] = 0.0
    return include, exclude


def marked_points(stroke: Stroke, window: Window) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices (z, y, x) of the window's points that a stroke marks; a small one marks the ball of a point.

    These are the points whose nearest voxel is marked, and the points nearest to marked voxels: thin strokes keep
    their voxels in a coarse window, and thick slices their thickness in a fine one.
    """
    places = np.argwhere(stroke.voxels) + [first for first, _ in reversed(stroke.box)]
    pushed = np.stack([_nearest(window.to_window(axis, places[:, 2 - axis])) for axis in (2, 1, 0)], axis=1)
    points = [pushed, _pulled(stroke, window)]
    if (np.ptp(pushed, axis=0) <= 2 * POINT_RADIUS).all():
        middle = pushed[np.argmin(np.square(pushed - pushed.mean(axis=0)).sum(axis=1))]
        points.append(_BALL + middle)
    every = np.concatenate(points)
    every = every[((every >= 0) & (every < window.size)).all(axis=1)]
    return every[:, 0], every[:, 1], every[:, 2]


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
