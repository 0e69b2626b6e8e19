"""A picture of a segmentation: slices in the three planes with coloured overlays, as a PNG file.

Only numpy and SimpleITK are needed. Rows are axial, coronal and sagittal slices, shown as radiologists look
at them: the patient's right on the left of axial and coronal pictures, head up, face to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.core.labels import Label
from LightMedSegLib.storage.atomic_files import atomic_write

COLUMNS = 6
PANEL_PIXELS = 220
"""Longest side of the shown region in pixels."""

GAP_PIXELS = 4
FILL_OPACITY = 0.35
MARGIN = 0.35
"""The region shown exceeds the segments' bounding box by this fraction of its size, on each side."""

WINDOW_PERCENTILES = (0.5, 99.5)


def write_montage(path: str | Path, image: sitk.Image, labelmap: sitk.Image, labels: Sequence[Label]) -> None:
    """Write a PNG montage of a volume and a labelmap on the same grid.

    Raises OutputError if the file does not end in .png or cannot be written.
    """
    path = Path(path)
    check_montage_path(path)
    pixels = sitk.GetImageFromArray(montage(image, labelmap, labels), isVector=True)
    with atomic_write(path) as temporary:
        try:
            sitk.WriteImage(pixels, str(temporary))
        except RuntimeError as error:
            raise OutputError(f"{path} cannot be written: the disk is full or failing.") from error


def check_montage_path(path: Path) -> None:
    """Raise OutputError unless path ends in .png."""
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path} is no name for a montage; let it end in .png.")


def montage(image: sitk.Image, labelmap: sitk.Image, labels: Sequence[Label]) -> np.ndarray:
    """The picture as a uint8 array (rows, columns, 3); COLUMNS slices of each plane spread over the segments."""
    grid = _display_grid(image, labelmap)
    gray = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32))
    values = sitk.GetArrayFromImage(sitk.Resample(labelmap, grid, sitk.Transform(), sitk.sitkNearestNeighbor))
    low, high = np.percentile(gray, WINDOW_PERCENTILES)
    shades = np.clip((gray - low) / max(float(high - low), 1e-6) * 255.0, 0, 255).astype(np.uint8)
    colors = np.zeros((int(values.max()) + 1, 3), dtype=np.uint8)
    for label in labels:
        if label.value < len(colors):
            colors[label.value] = label.color
    return np.vstack([_row(shades, values, colors, axis) for axis in range(3)])


def _display_grid(image: sitk.Image, labelmap: sitk.Image) -> sitk.Image:
    """An empty isotropic LPS image around the segments, or around everything if there are none."""
    oriented = sitk.DICOMOrient(labelmap, "LPS")
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputePerimeterOff()
    statistics.Execute(oriented != 0)
    size = np.array(oriented.GetSize())
    start, end = np.zeros(3), size.astype(float)
    if statistics.HasLabel(1):
        low, extent = np.array(statistics.GetBoundingBox(1), dtype=float).reshape(2, 3)
        # The same margin all around, so that a thin structure keeps its surroundings.
        margin = MARGIN * (extent * oriented.GetSpacing()).max() / np.array(oriented.GetSpacing())
        start, end = np.maximum(low - margin, 0), np.minimum(low + extent + margin, size)
    lengths = (end - start) * oriented.GetSpacing()
    spacing = float(lengths.max()) / PANEL_PIXELS
    grid = sitk.Image([max(1, round(length / spacing)) for length in lengths], sitk.sitkUInt8)
    grid.SetSpacing([spacing] * 3)
    grid.SetDirection(oriented.GetDirection())
    # The first voxel of the finer grid lies half a voxel of each grid inside the region's corner.
    corner = start - 0.5 + 0.5 * spacing / np.array(oriented.GetSpacing())
    grid.SetOrigin(oriented.TransformContinuousIndexToPhysicalPoint(corner.tolist()))
    return grid


def _row(shades: np.ndarray, values: np.ndarray, colors: np.ndarray, axis: int) -> np.ndarray:
    """COLUMNS slices across one axis of (z, y, x) arrays, side by side, each on a square black panel."""
    used = bounding_box(values)[axis]
    first, last = (used.start, used.stop - 1) if used.stop else (0, values.shape[axis] - 1)
    # Slices at the middles of equal parts: the very first and last would show next to nothing.
    parts = (np.arange(COLUMNS) + 0.5) / COLUMNS
    panels = []
    for position in np.round(first + parts * (last - first)).astype(int):
        shade, value = (np.take(volume, position, axis=axis) for volume in (shades, values))
        if axis > 0:
            # Coronal and sagittal rows run along z, which points to the head: turn the head up.
            shade, value = shade[::-1], value[::-1]
        panels.append(_framed(_overlay(shade, value, colors)))
    return np.hstack(panels)


def _overlay(shade: np.ndarray, value: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Grey slice with translucent segments and their outlines in full colour; (rows, columns, 3) uint8."""
    picture = np.repeat(shade[..., None], 3, axis=2).astype(np.float32)
    tint = colors[value].astype(np.float32)
    inside = value > 0
    picture[inside] += FILL_OPACITY * (tint - picture)[inside]
    outline = inside & _differs_from_neighbour(value)
    picture[outline] = tint[outline]
    return np.round(picture).astype(np.uint8)


def _differs_from_neighbour(value: np.ndarray) -> np.ndarray:
    padded = np.pad(value, 1, mode="edge")
    rows, columns = value.shape
    edge = np.zeros(value.shape, dtype=bool)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= padded[down : down + rows, right : right + columns] != value
    return edge


def _framed(picture: np.ndarray) -> np.ndarray:
    side = PANEL_PIXELS + 2 * GAP_PIXELS
    panel = np.zeros((side, side, 3), dtype=np.uint8)
    rows, columns = min(picture.shape[0], PANEL_PIXELS), min(picture.shape[1], PANEL_PIXELS)
    top, left = (side - rows) // 2, (side - columns) // 2
    panel[top : top + rows, left : left + columns] = picture[:rows, :columns]
    return panel
