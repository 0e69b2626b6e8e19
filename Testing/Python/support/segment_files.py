"""Segmentation files as 3D Slicer saves them, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.geometry import Grid

Described = tuple[str, int, int]
"""Name, value and layer of a segment."""


def seg_nrrd(path: Path, layers: Sequence[np.ndarray], grid: Grid, segments: Sequence[Described]) -> Path:
    """A .seg.nrrd file of layers (z, y, x) on grid, with the fields that 3D Slicer writes."""
    images = [grid.image(np.ascontiguousarray(layer)) for layer in layers]
    image = images[0] if len(images) == 1 else sitk.Compose(images)
    fields = {"Segmentation_MasterRepresentation": "Binary labelmap"}
    for number, (name, value, layer) in enumerate(segments):
        fields |= {
            f"Segment{number}_ID": f"Segment_{number + 1}",
            f"Segment{number}_Name": name,
            f"Segment{number}_LabelValue": str(value),
            f"Segment{number}_Layer": str(layer),
        }
    for key, text in fields.items():
        image.SetMetaData(key, text)
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def cut(array: np.ndarray, grid: Grid, first: Sequence[int], last: Sequence[int]) -> tuple[np.ndarray, Grid]:
    """The voxels first to before last (z, y, x) of an array on grid, and the grid of these."""
    part = array[tuple(slice(low, high) for low, high in zip(first, last, strict=True))]
    z, y, x = part.shape
    origin = grid.point((float(first[2]), float(first[1]), float(first[0])))
    return part, Grid((x, y, z), grid.spacing, tuple(origin.tolist()), grid.direction)
