"""A picture of a segmentation: slices in the three planes with coloured overlays and a legend, as a PNG file.

Rows are axial, coronal and sagittal slices, shown as radiologists look at them: the patient's right on the left of
axial and coronal pictures, head up, face to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.pictures.legend import legend_entries
from LightMedSegLib.io.pictures.overlay import OPACITY, Paint, painted, shaded, window
from LightMedSegLib.io.pictures.scene import Scene, SliceView
from LightMedSegLib.io.pictures.sheet import check_drawing, sheet
from LightMedSegLib.storage.atomic_files import atomic_write

COLUMNS = 4
ROW_WIDTH, ROW_HEIGHT = 1280, 380
"""Pixels within which each row of slices has room."""


def write_montage(
    path: str | Path,
    image: sitk.Image,
    labelmap: sitk.Image,
    labels: Sequence[Label],
    modality: str | None = None,
) -> None:
    """Write a PNG montage of a volume and a labelmap on the same grid; modality as in a model card, None if unknown.

    Raises OutputError if the file does not end in .png or cannot be written, DependencyError without Pillow.
    """
    path = Path(path)
    check_montage_path(path)
    pixels = sitk.GetImageFromArray(montage(image, labelmap, labels, modality), isVector=True)
    with atomic_write(path) as temporary:
        try:
            sitk.WriteImage(pixels, str(temporary))
        except RuntimeError as error:
            raise OutputError(f"{path} cannot be written: the disk is full or failing.") from error


def check_montage_path(path: Path) -> None:
    """Raise OutputError unless path ends in .png, DependencyError without Pillow."""
    if path.suffix.lower() != ".png":
        raise OutputError(f"{path} is no name for a montage; let it end in .png.")
    check_drawing()


def montage(
    image: sitk.Image, labelmap: sitk.Image, labels: Sequence[Label], modality: str | None = None
) -> NDArray[np.uint8]:
    """The picture as a uint8 array (rows, columns, 3); COLUMNS slices of each plane spread over the segments."""
    scene = Scene(image, labelmap)
    rows = [scene.spread(axis, COLUMNS) for axis in range(3)]
    extents = [[scene.extent_mm(view.axis) for view in row] for row in rows]
    pixel_mm = max(
        max(sum(width for _, width in row) / ROW_WIDTH, max(height for height, _ in row) / ROW_HEIGHT)
        for row in extents
    )
    return picture(scene, rows, labels, pixel_mm, modality)


def picture(
    scene: Scene,
    rows: Sequence[Sequence[SliceView]],
    labels: Sequence[Label],
    pixel_mm: float,
    modality: str | None = None,
    title: str = "",
    text_pixels: int = 20,
    line: int = 1,
    opacity: float = OPACITY,
) -> NDArray[np.uint8]:
    """The chosen slices as a uint8 array (rows, columns, 3), with a legend of the structures on them.

    pixel_mm: size of a pixel. text_pixels: height of the letters. line: width of the outlines in pixels.
    opacity: of the segments, but for those that are filled lightly.
    """
    cut = [[(view.axis, *scene.pixels(view, pixel_mm)) for view in row] for row in rows]
    gray = np.concatenate([gray.ravel() for row in cut for _, gray, _ in row])
    values = np.concatenate([values.ravel() for row in cut for _, _, values in row])
    low, high = window(gray, values, modality)
    paint = Paint.of(scene.values, labels, opacity)
    panels = [
        [(axis, painted(shaded(gray, low, high), values, paint, line)) for axis, gray, values in row] for row in cut
    ]
    return sheet(panels, legend_entries(labels, np.unique(values).tolist()), title, text_pixels)
