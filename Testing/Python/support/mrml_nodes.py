"""Scenes, volume nodes and transforms for the tests of the bridge, on Slicer's real core (package slicer-core)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

_RAS = np.diag((-1.0, -1.0, 1.0))


def new_scene() -> Any:
    """An empty scene in which segmentations can be converted."""
    scene = slicer.vtkMRMLScene()
    # Registers the conversion rules between segment representations.
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    return scene


def add_volume(scene: Any, image: sitk.Image, name: str = "Scan") -> Any:
    """A scalar volume node that shows an image (LPS), as Slicer's own reader makes it."""
    array = sitk.GetArrayFromImage(image)
    data = vtk.vtkImageData()
    data.SetDimensions(image.GetSize())
    scalars = numpy_to_vtk(array.ravel(), deep=True)
    data.GetPointData().SetScalars(scalars)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    # A scene ends with the last Python name for it; the application keeps its own for ever.
    node.kept_scene = scene
    node.SetAndObserveImageData(data)
    node.SetSpacing(image.GetSpacing())
    node.SetOrigin((_RAS @ image.GetOrigin()).tolist())
    node.SetIJKToRASDirections(*(_RAS @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    return node


def add_transform(scene: Any, matrix: np.ndarray, parent: Any = None, name: str = "Move") -> Any:
    """A linear transform node; matrix is 4x4, or the 3x3 part of one."""
    whole = np.eye(4)
    whole[: len(matrix), : len(matrix)] = matrix
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(vtk_matrix(whole))
    if parent is not None:
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


def add_warp(scene: Any) -> Any:
    """A node with a transform that is not linear."""
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Warp")
    points = vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        points.InsertNextPoint(*(50.0 * np.array(corner)))
    moved = vtk.vtkPoints()
    moved.DeepCopy(points)
    moved.SetPoint(0, 10, 5, 0)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetSourceLandmarks(points)
    spline.SetTargetLandmarks(moved)
    spline.SetBasisToR()
    node.SetAndObserveTransformToParent(spline)
    return node


def put_under(node: Any, transform: Any) -> None:
    node.SetAndObserveTransformNodeID(transform.GetID())


def vtk_matrix(matrix: np.ndarray) -> vtk.vtkMatrix4x4:
    result = vtk.vtkMatrix4x4()
    for row, column in np.ndindex(4, 4):
        result.SetElement(row, column, matrix[row, column])
    return result


def matrix_elements(matrix: vtk.vtkMatrix4x4) -> list[float]:
    return [matrix.GetElement(row, column) for row in range(4) for column in range(4)]


def labels_of(node: Any, index: int = 0) -> np.ndarray:
    """The values (z, y, x) of the labelmap that a node's segment number index lies in: a view."""
    image = node.GetSegmentation().GetNthSegment(index).GetRepresentation("Binary labelmap")
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def labelmap_image(node: Any, index: int = 0) -> Any:
    return node.GetSegmentation().GetNthSegment(index).GetRepresentation("Binary labelmap")


def add_painted_segment(node: Any, volume: Any, mask: np.ndarray, name: str) -> str:
    """What the user does with the Segment Editor: a segment in a layer of its own."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(volume.GetImageData().GetExtent())
    image.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    segment = slicer.vtkSegment()
    segment.SetName(name)
    segment.AddRepresentation("Binary labelmap", image)
    node.GetSegmentation().AddSegment(segment, name)
    return name


def segmentation_count(scene: Any) -> int:
    return int(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"))


def save_and_load(node: Any, path: Path) -> Any:
    """The node as Slicer reads it from the .seg.nrrd file that it wrote."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    loaded = node.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Loaded")
    assert storage.ReadData(loaded)
    return loaded


def nested(side: int = 32) -> np.ndarray:
    """Six blocks (1..6), an empty label 7, and a shell around them all (8), which touches the border."""
    labels = np.zeros((side, side, side), dtype=np.uint8)
    labels[:] = 8
    labels[3:-3, 3:-3, 3:-3] = 0
    for value in range(1, 7):
        start = 4 * value
        labels[6:20, 8 : 8 + 2 * value, start : start + 3] = value
    return labels
