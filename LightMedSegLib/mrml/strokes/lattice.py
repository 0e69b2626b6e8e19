"""The voxels on which a segmentation is corrected: the volume's own wherever the segmentation has them too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import LPS_FROM_RAS, Box, Grid, union_box
from LightMedSegLib.mrml.segmentations.reading import whole_offset
from LightMedSegLib.mrml.segmentations.shared_labelmap import layers
from LightMedSegLib.mrml.transforms import (
    Matrix,
    between_nodes,
    ijk_to_ras,
    is_sheared,
    parent_to_world,
    to_array,
    triple,
)
from LightMedSegLib.mrml.volumes import VolumeSnapshot, volume_grid

if TYPE_CHECKING:
    import SimpleITK as sitk


@dataclass(frozen=True)
class Lattice:
    """The voxels of a correction.

    grid: in the world. to_segmentation: index (x, y, z) of a voxel to the segmentation's RAS below its transform, 4x4
    row by row. first: what Slicer adds to an index in extents of the segmentation's labelmaps. of_volume: whether the
    voxels are the volume's own.
    """

    grid: Grid
    to_segmentation: tuple[float, ...]
    first: tuple[int, int, int]
    of_volume: bool

    @classmethod
    def of(cls, segmentation_node: Any, volume_node: Any) -> Lattice:
        """The voxels on which the Segment Editor edits a segmentation of a volume.

        Raises InputImageError for transforms that are not linear, or shear.
        """
        grid = volume_grid(volume_node)
        to_segmentation = (
            between_nodes(volume_node, segmentation_node)
            @ ijk_to_ras(volume_node)
            @ _shift(volume_node.GetImageData().GetExtent()[::2])
        )
        reference = _reference(segmentation_node.GetSegmentation())
        if reference is None:
            return cls(grid, _flat(to_segmentation), (0, 0, 0), True)
        matrix, box = reference
        offset = whole_offset(np.linalg.inv(matrix) @ to_segmentation, grid.shape)
        if offset is not None:
            i, j, k = offset.tolist()
            # The labelmaps' own matrix: blocks that are written must lie exactly on their voxels.
            return cls(grid, _flat(matrix @ _shift((i, j, k))), (i, j, k), True)
        i, j, k = (first for first, _ in box)
        return cls(_world_grid(segmentation_node, matrix, box), _flat(matrix @ _shift((i, j, k))), (i, j, k), False)

    def is_still(self, other: Lattice) -> bool:
        """Whether a lattice that was found later has the same voxels; it may hold more or fewer of them."""
        if self.of_volume or other.of_volume:
            return self == other
        same_axes = np.array_equal(self.matrix[:3, :3], other.matrix[:3, :3])
        return same_axes and self.grid.direction == other.grid.direction and self.grid.spacing == other.grid.spacing

    @property
    def matrix(self) -> Matrix:
        """Index (x, y, z) to the segmentation's RAS, below its transform."""
        return np.reshape(self.to_segmentation, (4, 4))

    def block(self, box: Box, values: NDArray[np.uint8]) -> Any:
        """Values (z, y, x) of a box as a vtkOrientedImageData for the segmentation's labelmaps."""
        image = slicer.vtkOrientedImageData()
        image.SetExtent(*self.extent(box))
        image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(_flat(self.matrix @ _shift([-index for index in self.first])))
        image.SetGeometryFromImageToWorldMatrix(matrix)
        return image

    def extent(self, box: Box) -> tuple[int, ...]:
        """A box as an extent of the segmentation's labelmaps."""
        pairs = ((low + first, high + first - 1) for (low, high), first in zip(box, self.first, strict=True))
        return tuple(edge for pair in pairs for edge in pair)

    def image(self, volume: VolumeSnapshot) -> sitk.Image:
        """The volume on these voxels, interpolated linearly if they are not its own; in any thread."""
        import SimpleITK as sitk

        image = volume.grid.image(volume.array)
        if self.of_volume:
            return image
        reference = sitk.Image(self.grid.size, sitk.sitkUInt8)
        reference.SetSpacing(self.grid.spacing)
        reference.SetOrigin(self.grid.origin)
        reference.SetDirection(self.grid.direction)
        return sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, float(volume.array.min()))


def _reference(segmentation: Any) -> tuple[Matrix, Box] | None:
    """The matrix (index to RAS) of the Segment Editor's labelmaps and the box that holds them all; None without any."""
    converter = slicer.vtkSegmentationConverter
    text = segmentation.GetConversionParameter(converter.GetReferenceImageGeometryParameterName())
    text = text or segmentation.DetermineCommonLabelmapGeometry()
    image = slicer.vtkOrientedImageData()
    if not text or not converter.DeserializeImageGeometry(text, image, False):
        return None
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    box = _box(image)
    for layer in layers(segmentation):
        if not layer.IsEmpty():
            box = union_box(box, _box(layer))
    return to_array(matrix), box


def _box(image: Any) -> Box:
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    return ((i0, i1 + 1), (j0, j1 + 1), (k0, k1 + 1))


def _world_grid(segmentation_node: Any, matrix: Matrix, box: Box) -> Grid:
    first = _shift([low for low, _ in box])
    parent = parent_to_world(segmentation_node)
    world = (np.eye(4) if parent is None else parent) @ matrix @ first
    if is_sheared(world):
        raise InputImageError(
            f"'{segmentation_node.GetName()}' is sheared by its transform; harden the transform or remove it first."
        )
    x, y, z = (high - low for low, high in box)
    spacing = np.linalg.norm(world[:3, :3], axis=0)
    direction = LPS_FROM_RAS @ (world[:3, :3] / spacing)
    return Grid((x, y, z), triple(spacing), triple(LPS_FROM_RAS @ world[:3, 3]), tuple(direction.ravel().tolist()))


def _shift(index: Any) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = index
    return matrix


def _flat(matrix: Matrix) -> tuple[float, ...]:
    return tuple(matrix.ravel().tolist())
