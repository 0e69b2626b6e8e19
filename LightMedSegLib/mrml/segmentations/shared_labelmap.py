"""One labelmap that many segments share: fast to write, and emptied before it is removed.

When a segment leaves a segmentation, Slicer erases its voxels from the labelmap it shares with others, one pass
over the volume per segment: half a minute for a large scan. An emptied labelmap leaves nothing to erase.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import vtk_to_numpy

BINARY_LABELMAP = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()


def label_scalars(labels: NDArray[np.uint8]) -> vtk.vtkUnsignedCharArray:
    """Labels (z, y, x) as scalars for :func:`make_labelmap`; a copy that belongs to no scene, made in any thread."""
    scalars = vtk.vtkUnsignedCharArray()
    scalars.SetNumberOfTuples(labels.size)
    if labels.size:
        # By numpy, which lets other threads run meanwhile: VTK's own copy keeps Python's lock.
        np.copyto(vtk_to_numpy(scalars).reshape(labels.shape), labels, casting="unsafe")
    return scalars


def make_labelmap(volume_node: Any, scalars: vtk.vtkUnsignedCharArray) -> Any:
    """A vtkOrientedImageData with exactly the extent and geometry of a volume node (below its parent transform).

    scalars has one value per voxel of the volume.
    """
    image = slicer.vtkOrientedImageData()
    image.SetExtent(volume_node.GetImageData().GetExtent())
    if scalars.GetNumberOfTuples() != image.GetNumberOfPoints():
        raise ValueError(f"{scalars.GetNumberOfTuples()} labels for {image.GetNumberOfPoints()} voxels")
    image.GetPointData().SetScalars(scalars)
    image.SetSpacing(volume_node.GetSpacing())
    image.SetOrigin(volume_node.GetOrigin())
    rows = [[0.0] * 3 for _ in range(3)]
    volume_node.GetIJKToRASDirections(rows)
    image.SetDirections(rows)
    return image


def is_labelmap(node: Any) -> bool:
    """Whether the source of a segmentation node is its labelmaps, from which all else can be made again."""
    return bool(node.GetSegmentation().GetSourceRepresentationName() == BINARY_LABELMAP)


def layers(segmentation: Any) -> list[Any]:
    """The distinct labelmap images of a vtkSegmentation, in the order of its segments."""
    found: list[Any] = []
    for index in range(segmentation.GetNumberOfSegments()):
        image = segmentation.GetNthSegment(index).GetRepresentation(BINARY_LABELMAP)
        if image is not None and all(image is not other for other in found):
            found.append(image)
    return found


def layer_array(image: Any) -> NDArray[Any]:
    """Values (z, y, x) of a labelmap image: a view; of shape (0, 0, 0) for an empty one."""
    scalars = image.GetPointData().GetScalars()
    if image.IsEmpty() or scalars is None:
        return np.zeros((0, 0, 0), dtype=np.uint8)
    i, j, k = image.GetDimensions()
    return vtk_to_numpy(scalars).reshape(k, j, i)


def remove_all_segments(segmentation: Any) -> None:
    """Remove all segments from a vtkSegmentation, immediately whatever the size of their labelmaps."""
    for image in layers(segmentation):
        image.Initialize()
    segmentation.RemoveAllSegments()


def guard_removal(segmentation: Any) -> None:
    """Empty the present labelmaps of a vtkSegmentation when it is destroyed.

    This way, deleting its node or closing the scene does not freeze the application. A labelmap that has other owners
    by then stays as it is.
    """
    for image in layers(segmentation):
        reference = vtk.vtkWeakReference()
        reference.Set(image)
        segmentation.AddObserver(vtk.vtkCommand.DeleteEvent, _Emptying(reference, image.GetReferenceCount()))


class _Emptying:
    # What is left when Python's garbage collector has emptied the object before VTK calls it.
    _reference: vtk.vtkWeakReference | None = None
    _holders = 0

    def __init__(self, reference: vtk.vtkWeakReference, holders: int):
        self._reference = reference
        self._holders = holders

    def __call__(self, *_: Any) -> None:
        image = None if self._reference is None else self._reference.Get()
        if image is not None and image.GetReferenceCount() <= self._holders:
            image.Initialize()
