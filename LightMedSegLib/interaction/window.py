"""The cube of grid points that the network sees: sampling it from the volume, the way back, and what is shown of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import SAME_SPACING, Box, Grid, Region
from LightMedSegLib.inference.resampling import linear_weights, weighted

SIZE = 96
"""Grid points along each axis of the window that the shipped network sees."""

_STRIDE_FROM = 1.3
"""Every n-th voxel is read where the window's spacing is more than this many times n the volume's."""


Reader = Callable[[Region], NDArray[Any]]
"""Returns a part of an array (z, y, x) of the volume; the slices may have steps."""


@dataclass(frozen=True)
class Window:
    """A cube of size^3 grid points along the volume's axes, which may extend beyond the volume.

    centre: continuous index (x, y, z) of the volume. spacing: mm, the same on all axes.
    """

    volume: Grid
    centre: tuple[float, float, float]
    spacing: float
    size: int = SIZE

    @classmethod
    def around(cls, box: Box, volume: Grid, spacing: float, size: int) -> Window:
        """The window with its centre in the middle of box; points lie on voxels along axes of the same spacing."""
        centre = []
        for (first, last), mm in zip(box, volume.spacing, strict=True):
            middle = (first + last - 1) / 2
            same = abs(spacing / mm - 1) <= SAME_SPACING
            centre.append(np.floor(middle) + (0.0 if size % 2 else 0.5) if same else middle)
        return cls(volume, (float(centre[0]), float(centre[1]), float(centre[2])), spacing, size)

    def ratio(self, axis: int) -> float:
        """The window's spacing over the volume's along x, y or z."""
        return self.spacing / self.volume.spacing[axis]

    def positions(self, axis: int) -> NDArray[np.float64]:
        """Continuous indices of the volume's axis at the grid points."""
        steps = np.arange(self.size, dtype=np.float64) - (self.size - 1) / 2
        return self.centre[axis] + steps * self.ratio(axis)

    def to_window(self, axis: int, index: NDArray[Any]) -> NDArray[np.float64]:
        """Continuous grid coordinates of indices of the volume's axis."""
        return (np.asarray(index) - self.centre[axis]) / self.ratio(axis) + (self.size - 1) / 2

    @property
    def box(self) -> Box:
        """The voxels of the volume whose centres the window covers."""
        return self.box_of((slice(0, self.size), slice(0, self.size), slice(0, self.size)))

    def box_of(self, region: Region) -> Box:
        """The voxels of the volume whose centres a part (z, y, x) of the window covers; never none."""
        ranges = []
        for axis, part in enumerate(reversed(region)):
            corners = self.centre[axis] + (np.array([part.start, part.stop]) - self.size / 2) * self.ratio(axis)
            voxels = self.volume.size[axis]
            first = int(np.clip(np.ceil(corners[0]), 0, voxels - 1))
            ranges.append((first, int(np.clip(np.ceil(corners[1]), first + 1, voxels))))
        return (ranges[0], ranges[1], ranges[2])

    @property
    def inside(self) -> Region:
        """The part (z, y, x) of the window that lies inside the volume."""
        z, y, x = (self._inside(axis) for axis in (2, 1, 0))
        return (z, y, x)

    def _inside(self, axis: int) -> slice:
        position = self.positions(axis)
        inside = np.flatnonzero((position >= -0.5) & (position <= self.volume.size[axis] - 0.5))
        if not inside.size:
            nearest = int(np.argmin(np.abs(position - np.clip(position, 0, self.volume.size[axis] - 1))))
            return slice(nearest, nearest + 1)
        return slice(int(inside[0]), int(inside[-1]) + 1)

    def image(self, volume: NDArray[Any]) -> NDArray[np.float32]:
        """The volume's intensities (z, y, x) on the grid; outside the volume the smallest of them.

        Voxels that are no finite number count as the smallest one.
        """
        sampled = self._sampled(lambda region: volume[region])
        result = np.full_like(sampled, sampled[self.inside].min())
        result[self.inside] = sampled[self.inside]
        return result

    def mask(self, read: Reader) -> NDArray[np.float32]:
        """The share of each grid point (0 to 1) that a mask of the volume covers; 0 outside the volume."""
        result = np.zeros((self.size,) * 3, dtype=np.float32)
        result[self.inside] = self._sampled(read)[self.inside]
        return result

    def _sampled(self, read: Reader) -> NDArray[np.float32]:
        parts: list[slice] = []
        weights: list[NDArray[np.float32]] = []
        for axis in (2, 1, 0):
            ratio, voxels = self.ratio(axis), self.volume.size[axis]
            step, margin = max(1, int(ratio / _STRIDE_FROM)), int(2 * ratio) + 2
            position = np.clip(self.positions(axis), 0, voxels - 1)
            part = slice(
                max(0, int(position[0]) - margin - margin % step), min(voxels, int(position[-1]) + margin + 1), step
            )
            parts.append(part)
            count = len(range(part.start, part.stop, step))
            weights.append(linear_weights((position - part.start) / step, count, ratio / step))
        block = read((parts[0], parts[1], parts[2]))
        if block.dtype.kind == "f" and not np.isfinite(block).all():
            finite = block[np.isfinite(block)]
            block = np.where(np.isfinite(block), block, finite.min() if finite.size else 0)
        if not block.any():
            return np.zeros((self.size,) * 3, dtype=np.float32)
        return weighted(block, (weights[0], weights[1], weights[2]))

    def to_volume(self, values: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
        """Values on the grid (z, y, x) at the voxels of box, interpolated linearly."""
        x, y, z = (linear_weights(self.to_window(axis, np.arange(*box[axis])), self.size) for axis in range(3))
        return weighted(values, (z, y, x))


@dataclass(frozen=True)
class View:
    """A window with the object so far and the prompts; all arrays are (z, y, x) on the window's grid.

    image: in any unit, float32. present: where the object is so far. include, exclude: strokes, 0 to 1, the newest with
    1, float32. inside: the part of the window that lies in the volume. paints: whether the newest stroke includes.
    drawn: of a stroke that corrects a segment, the points of the stroke itself; None for a new object. first: whether a
    new object has no other prompt.
    """

    image: NDArray[np.float32]
    present: NDArray[np.bool_]
    include: NDArray[np.float32]
    exclude: NDArray[np.float32]
    inside: Region
    paints: bool = True
    drawn: NDArray[np.bool_] | None = None
    first: bool = False
