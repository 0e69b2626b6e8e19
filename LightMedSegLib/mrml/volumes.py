"""Conversion of a volume node to a SimpleITK image, without a file.

The image has the voxel axes of the volume (nothing is resampled here) and its geometry in the scene: direction and
spacing include the linear parent transform. So a volume under a transform and the same volume with that transform
hardened give the same labels, and the model sees the anatomy in the orientation of the views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import LPS_FROM_RAS, Grid
from LightMedSegLib.io.scan_tags import ScanTags, keep_tags
from LightMedSegLib.io.volume_checks import check_geometry, check_layout
from LightMedSegLib.mrml.dicom_tags import node_tags
from LightMedSegLib.mrml.transforms import Matrix, ijk_to_ras, ijk_to_world, triple

if TYPE_CHECKING:
    import SimpleITK as sitk

_RIGID_TOLERANCE = 1e-6
_SLAB_BYTES = 2**21


@dataclass(frozen=True)
class VolumeSnapshot:
    """A volume detached from the scene: safe to use in any thread.

    array: voxels (z, y, x). grid: their place in the world, LPS, mm. tags: what DICOM headers say.
    """

    array: NDArray[Any]
    grid: Grid
    tags: ScanTags = field(default_factory=ScanTags)

    def image(self) -> sitk.Image:
        """The volume as an image of its own type, with its tags; a copy."""
        image = self.grid.image(self.array)
        keep_tags(image, self.tags)
        return image


@dataclass(frozen=True)
class VolumeState:
    """A state that changes with the voxels and geometry of a volume node, not with display, name and transform."""

    image_time: int
    ijk_to_ras: tuple[float, ...]

    @classmethod
    def of(cls, volume_node: Any) -> VolumeState:
        """The present state of a volume node with voxels."""
        return cls(int(volume_node.GetImageData().GetMTime()), tuple(ijk_to_ras(volume_node).ravel().tolist()))


def check_volume_node(volume_node: Any) -> None:
    """Raise InputImageError unless the node has a scalar 3D volume with a usable geometry.

    Fast: voxel values are not checked (the library does that in its own thread).
    """
    if volume_node is None:
        raise InputImageError("No volume is chosen; load a scan and choose it as the input volume.")
    name = f"'{volume_node.GetName()}'"
    image = volume_node.GetImageData() if volume_node.IsA("vtkMRMLScalarVolumeNode") else None
    if image is None or image.GetPointData() is None or image.GetPointData().GetScalars() is None:
        raise InputImageError(f"{name} holds no scalar voxels; choose a volume that was loaded completely.")
    check_layout(3, image.GetDimensions(), image.GetNumberOfScalarComponents(), name)
    grid = volume_grid(volume_node)
    check_geometry(grid.spacing, grid.origin, grid.direction, name)


def volume_grid(volume_node: Any) -> Grid:
    """Return the grid of a volume node in the world: LPS, mm, parent transform included.

    Raises InputImageError for a non-linear, mirroring or shearing parent transform.
    """
    return grid_from_matrix(array_to_world(volume_node), volume_node)


def array_to_world(volume_node: Any) -> Matrix:
    """Index (x, y, z) into the volume's array to world RAS; differs from IJK where the extent does not begin at 0."""
    first = np.eye(4)
    first[:3, 3] = volume_node.GetImageData().GetExtent()[::2]
    result: Matrix = ijk_to_world(volume_node) @ first
    return result


def grid_from_matrix(world: Matrix, volume_node: Any) -> Grid:
    """The grid of a volume node whose array indices world takes to RAS.

    A parent transform that only turns and shifts leaves the node's spacing untouched to the last bit: rounding
    noise in it could change the number of voxels on the model's grid.
    """
    spacing = np.linalg.norm(world[:3, :3], axis=0)
    own = np.array(volume_node.GetSpacing())
    if np.allclose(spacing, own, rtol=_RIGID_TOLERANCE, atol=0):
        spacing = own
    direction = LPS_FROM_RAS @ world[:3, :3] / spacing
    if volume_node.GetParentTransformNode() is None:
        rows = [[0.0] * 3 for _ in range(3)]
        volume_node.GetIJKToRASDirections(rows)
        direction = LPS_FROM_RAS @ np.array(rows)
    # Adding zero turns -0.0, which the change of sign leaves behind, into 0.0.
    origin = LPS_FROM_RAS @ world[:3, 3] + 0.0
    i, j, k = volume_node.GetImageData().GetDimensions()
    return Grid((i, j, k), triple(spacing), triple(origin), tuple((direction + 0.0).ravel().tolist()))


def voxels(volume_node: Any) -> NDArray[Any]:
    """The node's voxels (z, y, x): a view, valid on the main thread until the volume changes."""
    image = volume_node.GetImageData()
    i, j, k = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(k, j, i)


def copy_steps(volume_node: Any) -> Iterator[VolumeSnapshot | None]:
    """Copy a volume in small steps, so that the main thread can serve the user between them.

    Yields None after each step and the finished snapshot at the end. The caller makes sure, by
    :class:`VolumeState`, that the volume did not change in between.
    """
    grid = volume_grid(volume_node)
    state = VolumeState.of(volume_node)
    source = voxels(volume_node)
    # A type that SimpleITK accepts: "long long" and "long" are equal but different numpy types.
    array = np.empty(source.shape, dtype=np.dtype(f"{source.dtype.kind}{source.dtype.itemsize}"))
    del source
    for part in slabs(array):
        if VolumeState.of(volume_node) != state:
            raise InputImageError(f"'{volume_node.GetName()}' changed while it was read; segment it again.")
        # Fetched again each time: a view of replaced voxels would point at freed memory.
        array[part] = voxels(volume_node)[part]
        yield None
    yield VolumeSnapshot(array, grid, node_tags(volume_node))


def slabs(array: NDArray[Any]) -> Iterator[slice]:
    """Return the planes of an array (z, y, x) in parts that take a few milliseconds to copy."""
    planes = max(1, _SLAB_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), planes):
        yield slice(start, start + planes)


def snapshot(volume_node: Any) -> VolumeSnapshot:
    """Check and copy a volume at once.

    Raises InputImageError as :func:`check_volume_node` does.
    """
    check_volume_node(volume_node)
    *_, result = copy_steps(volume_node)
    assert result is not None
    return result
