"""What a person marks at once, and what that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, Grid, Region, bounding_box, box_of, common_box, region_of


@dataclass(frozen=True)
class Stroke:
    """Voxels that a person painted (include) or erased at once.

    box: index ranges of the volume. voxels: the marked ones (z, y, x), of the box's size.
    """

    include: bool
    box: Box
    voxels: NDArray[np.bool_]

    def __post_init__(self) -> None:
        size = tuple(last - first for first, last in reversed(self.box))
        if self.voxels.shape != size:
            raise ValueError(f"A stroke of {self.voxels.shape} voxels does not fit its box of {size}.")

    @classmethod
    def ball(cls, include: bool, index_xyz: Sequence[float], radius_mm: float, grid: Grid) -> Stroke:
        """A ball around a continuous index (x, y, z): at least the nearest voxel, cut at the volume's borders.

        Raises InputImageError if the index is outside the volume, or the radius is impossible.
        """
        return cls.line(include, [index_xyz], radius_mm, grid)

    @classmethod
    def line(cls, include: bool, indices_xyz: Sequence[Sequence[float]], radius_mm: float, grid: Grid) -> Stroke:
        """A tube along straight lines from index to index, with the voxels within radius_mm of it.

        Raises InputImageError if there is no index, one is outside the volume, or the radius is impossible.
        """
        if not len(indices_xyz):
            raise InputImageError("The stroke has no points; give at least one.")
        if not 0 <= radius_mm < np.inf:
            raise InputImageError(f"The radius {radius_mm} mm is not possible; give a number from 0 on.")
        for index in indices_xyz:
            _refuse_outside(index, grid)
        spacing = np.array(grid.spacing)
        corners = np.array(indices_xyz, dtype=np.float64)
        reach = np.ceil(radius_mm / spacing) + 1
        first = np.clip(np.floor(corners.min(axis=0) - reach), 0, None).astype(int)
        last = np.minimum(np.ceil(corners.max(axis=0) + reach).astype(int) + 1, grid.size)
        x, y, z = (np.arange(a, b) * mm for a, b, mm in zip(first, last, spacing, strict=True))
        voxels = np.zeros((len(z), len(y), len(x)), dtype=bool)
        ends = corners[1:] if len(corners) > 1 else corners
        for start, end in zip(corners, ends, strict=False):
            low = np.maximum(np.floor(np.minimum(start, end) - reach).astype(int) - first, 0)
            high = np.ceil(np.maximum(start, end) + reach).astype(int) + 1 - first
            i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
            near = _distance_squared((x[i], y[j], z[k]), start * spacing, end * spacing) <= radius_mm**2
            voxels[k, j, i] |= near
            # The nearest voxels all along the line, so that a thin one has no gaps.
            places = np.rint(np.linspace(start, end, 2 * int(np.ceil(np.abs(end - start).max())) + 1))
            along_x, along_y, along_z = (np.clip(places, 0, np.array(grid.size) - 1).astype(int) - first).T
            voxels[along_z, along_y, along_x] = True
        x_range, y_range, z_range = ((int(a), int(b)) for a, b in zip(first, last, strict=True))
        return cls(include, (x_range, y_range, z_range), voxels).cropped()

    @classmethod
    def difference(cls, before: NDArray[np.bool_], after: NDArray[np.bool_], offset_box: Box) -> list[Stroke]:
        """Return what was painted and erased between two masks (z, y, x) of a box: up to two strokes."""
        strokes = (cls(True, offset_box, after & ~before), cls(False, offset_box, before & ~after))
        return [stroke.cropped() for stroke in strokes if stroke.voxels.any()]

    def cropped(self) -> Stroke:
        """Return the stroke in the smallest box that holds its voxels; an empty stroke as it is."""
        region = bounding_box(self.voxels)
        if region[0].start == region[0].stop:
            return self
        return replace(self, box=box_of(region, self.box), voxels=np.ascontiguousarray(self.voxels[region]))


@dataclass(frozen=True)
class Change:
    """What an action changed: the mask's voxels (z, y, x) in box, before and after.

    seconds: how long the network and the rules took. passes: windows that the network saw. note: "" or one sentence
    for the person.
    """

    box: Box
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    seconds: float = 0.0
    passes: int = 0
    note: str = ""

    @property
    def changed(self) -> NDArray[np.bool_]:
        """The voxels of the box whose value changed."""
        return self.before ^ self.after

    def over(self, mask: NDArray[np.bool_], region: Region) -> NDArray[np.bool_]:
        """Return mask[region] as it is after the change; region may have steps."""
        box = box_of(region)
        result = mask[region_of(box)].copy()
        common = common_box(box, self.box)
        result[region_of(common, box)] = self.after[region_of(common, self.box)]
        return result[tuple(slice(None, None, part.step) for part in region)]

    def cropped(self) -> Change:
        """Return the change in the smallest box that holds it; in a box of one voxel if nothing changed."""
        region = bounding_box(self.changed)
        if region[0].start == region[0].stop:
            region = (slice(0, 1), slice(0, 1), slice(0, 1))
        return replace(
            self, box=box_of(region, self.box), before=self.before[region].copy(), after=self.after[region].copy()
        )


def check_inside(stroke: Stroke, grid: Grid) -> None:
    """Raise InputImageError unless the stroke lies inside the volume and holds a voxel."""
    inside = all(0 <= first < last <= size for (first, last), size in zip(stroke.box, grid.size, strict=True))
    if not inside:
        raise InputImageError(
            f"The stroke's box {stroke.box} is not inside the volume of {' x '.join(map(str, grid.size))} voxels; "
            "mark voxels of the volume."
        )
    if not stroke.voxels.any():
        raise InputImageError("The stroke is empty; mark at least one voxel.")


def _refuse_outside(index: Sequence[float], grid: Grid) -> None:
    if not all(-0.5 <= value <= size - 0.5 for value, size in zip(index, grid.size, strict=True)):
        place = ", ".join(f"{value:.6g}" for value in index)
        raise InputImageError(
            f"The prompt at index ({place}) is outside the volume of {' x '.join(map(str, grid.size))} voxels; "
            "correct its coordinates."
        )


def _distance_squared(
    axes: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Squared distance (z, y, x) of the positions on axes x, y, z from the line start - end (mm)."""
    x, y, z = axes
    way = end - start
    length = float(way @ way)
    dx, dy, dz = x[None, None, :] - start[0], y[None, :, None] - start[1], z[:, None, None] - start[2]
    if not length:
        return dx**2 + dy**2 + dz**2
    along = np.clip((dx * way[0] + dy * way[1] + dz * way[2]) / length, 0, 1)
    return (dx - along * way[0]) ** 2 + (dy - along * way[1]) ** 2 + (dz - along * way[2]) ** 2
