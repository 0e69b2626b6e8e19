"""The part of a volume that a picture shows, and slices through it as radiologists look at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import bounding_box

MARGIN = 0.06
"""The region shown exceeds the segments' bounding box by this fraction of its longest side, on each side."""

SMALLEST_MARGIN_MM = 8.0


@dataclass(frozen=True)
class SliceView:
    """One slice. axis: 0 axial, 1 coronal, 2 sagittal. index: of the slice in the scene's array (z, y, x)."""

    axis: int
    index: int


class Scene:
    """A volume with its segments, cropped to the segments; the whole volume where nothing is segmented."""

    def __init__(self, image: sitk.Image, labelmap: sitk.Image, smooth: bool = False) -> None:
        """Look at a volume and a labelmap on the same grid.

        smooth: whether voxels that are enlarged get rounded edges, which takes longer; else they stay blocks.
        """
        self._image = image
        self._labelmap = sitk.DICOMOrient(labelmap, "LPS")
        self.values: NDArray[np.uint8] = sitk.GetArrayViewFromImage(self._labelmap)
        """The label values (z, y, x) of the whole volume, towards superior, posterior and left."""
        self._smooth = smooth
        self._spacing = np.array(self._labelmap.GetSpacing())
        self._used = bounding_box(self.values)
        self._low, self._high = self._shown()

    def _shown(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Edges (x, y, z) of the region shown, in voxels from the volume's corner."""
        size = np.array(self._labelmap.GetSize(), dtype=float)
        if not self._used[0].stop:
            return np.zeros(3), size
        low = np.array([part.start for part in reversed(self._used)], dtype=float)
        high = np.array([part.stop for part in reversed(self._used)], dtype=float)
        # The same margin all around, so that a thin structure keeps its surroundings.
        margin = max(MARGIN * ((high - low) * self._spacing).max(), SMALLEST_MARGIN_MM) / self._spacing
        return np.maximum(low - margin, 0), np.minimum(high + margin, size)

    def extent_mm(self, axis: int) -> tuple[float, float]:
        """Height and width in mm of a slice across an axis."""
        x, y, z = ((self._high - self._low) * self._spacing).tolist()
        return ((y, x), (z, x), (z, y))[axis]

    def spread(self, axis: int, count: int) -> list[SliceView]:
        """Return slices at the middles of count equal parts of the segments: the very first and last show little."""
        used = self._used[axis]
        first, last = (used.start, used.stop - 1) if used.stop else (0, self.values.shape[axis] - 1)
        places = first + (np.arange(count) + 0.5) / count * (last - first)
        return [SliceView(axis, int(place)) for place in np.round(places)]

    def pixels(self, view: SliceView, pixel_mm: float) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return intensities and label values (rows, columns) of a slice on square pixels.

        The patient's right is on the left of axial and coronal slices, head up, face to the left.
        """
        grid = self._grid(view, pixel_mm)
        gray_way, value_way = sitk.sitkLinear, sitk.sitkNearestNeighbor
        if self._smooth:
            gray_way, value_way = sitk.sitkBSpline, sitk.sitkLabelGaussian
        gray = sitk.Resample(self._image, grid, sitk.Transform(), gray_way, 0.0, sitk.sitkFloat32)
        values = sitk.Resample(self._labelmap, grid, sitk.Transform(), value_way)
        planes = [np.take(sitk.GetArrayFromImage(one), 0, axis=view.axis) for one in (gray, values)]
        if view.axis > 0:
            # Rows of coronal and sagittal slices run along z, which points to the head: turn the head up.
            planes = [plane[::-1] for plane in planes]
        return planes[0], planes[1]

    def _grid(self, view: SliceView, pixel_mm: float) -> sitk.Image:
        """An empty LPS image, one voxel thick, of the slice."""
        size = np.maximum(np.round((self._high - self._low) * self._spacing / pixel_mm), 1).astype(int)
        # The first voxel of the finer grid lies half a voxel of each grid inside the region's corner.
        corner = self._low - 0.5 + 0.5 * pixel_mm / self._spacing
        across = 2 - view.axis
        size[across], corner[across] = 1, view.index
        grid = sitk.Image(size.tolist(), sitk.sitkUInt8)
        grid.SetSpacing([pixel_mm] * 3)
        grid.SetDirection(self._labelmap.GetDirection())
        grid.SetOrigin(self._labelmap.TransformContinuousIndexToPhysicalPoint(corner.tolist()))
        return grid
