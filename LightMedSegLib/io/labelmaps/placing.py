"""Placement of labelmaps that were cropped to their segments on the grid of their volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import SAME_GRID, Grid

if TYPE_CHECKING:
    import SimpleITK as sitk


def on_grid(labelmap: sitk.Image, grid: Grid, name: str, cut: bool) -> sitk.Image:
    """Return the labelmap on exactly this grid.

    cut: outside the labelmap is background, so it may be smaller or larger than the grid. An empty one may be
    anywhere: 3D Slicer saves it as a single voxel.

    Raises InputImageError, which begins with name, for voxels that do not coincide with those of the grid, and for
    labelled voxels outside it.
    """
    own = Grid.of(labelmap)
    array = _array(labelmap)
    if own.same_as(grid):
        return grid.image(array)
    if cut and not array.any():
        return grid.image(np.zeros(grid.shape, dtype=array.dtype))
    offset = _offset(own, grid) if cut else None
    if offset is None:
        raise InputImageError(
            f"{name} does not lie on the same grid as what it belongs to; resample it to that grid with the nearest "
            "neighbour, or export it from 3D Slicer with the volume as reference."
        )
    placed = shifted(array, -offset, grid.shape)
    lost = np.count_nonzero(array) - np.count_nonzero(placed)
    if lost:
        raise InputImageError(
            f"{name} has {lost} labelled voxel(s) outside the grid of what it belongs to; check both."
        )
    return grid.image(placed)


def on_common_grid(first: sitk.Image, second: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Return two cropped labelmaps on the smallest common grid; unchanged if their voxels do not coincide."""
    one, other = Grid.of(first), Grid.of(second)
    if not _array(first).any():
        return on_grid(first, other, "The first", cut=True), second
    if not _array(second).any():
        return first, on_grid(second, one, "The second", cut=True)
    offset = None if one.same_as(other) else _offset(other, one)
    if offset is None:
        return first, second
    low = np.minimum(0, offset)
    high = np.maximum(one.shape, offset + other.shape)
    corner = tuple(float(value) for value in low[::-1])
    x, y, z = (int(length) for length in (high - low)[::-1])
    grid = Grid((x, y, z), one.spacing, tuple(one.point(corner).tolist()), one.direction)
    return (
        grid.image(shifted(_array(first), low, grid.shape)),
        grid.image(shifted(_array(second), low - offset, grid.shape)),
    )


def shifted(array: NDArray[Any], offset: NDArray[np.int64], shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return result[i] = array[i + offset] where both exist, else 0; all are (z, y, x)."""
    result = np.zeros(shape, dtype=array.dtype)
    target, source = [], []
    for shift, size, available in zip(offset.tolist(), shape, array.shape, strict=True):
        first, last = max(0, -shift), max(0, -shift, min(size, available - shift))
        target.append(slice(first, last))
        source.append(slice(first + shift, last + shift))
    result[tuple(target)] = array[tuple(source)]
    return result


def _offset(own: Grid, grid: Grid) -> NDArray[np.int64] | None:
    """Return the index (z, y, x) in grid of the first voxel of own; None if the voxels of both do not coincide."""
    to_index = np.linalg.inv(_axes(grid))
    start = to_index @ (np.array(own.origin) - np.array(grid.origin))
    whole = np.round(start)
    difference = np.abs(to_index @ _axes(own) - np.eye(3)) @ own.size + np.abs(start - whole)
    return None if difference.max() > SAME_GRID else whole.astype(np.int64)[::-1]


def _axes(grid: Grid) -> NDArray[np.float64]:
    """Return the steps (mm) to the next voxel along x, y and z as columns."""
    return np.reshape(grid.direction, (3, 3)) * np.array(grid.spacing)


def _array(labelmap: sitk.Image) -> NDArray[Any]:
    import SimpleITK as sitk

    return np.asarray(sitk.GetArrayViewFromImage(labelmap))
