"""The doubt of a result as a volume node, which refers to its segmentation.

It is not saved with the scene unless the user asks for it: it can be computed again, and is as large as the scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import slicer
import vtk

from LightMedSegLib.doubt.places import LEAST_DOUBT, doubtful_places
from LightMedSegLib.mrml.doubt.places import Place, keep_places, places_text
from LightMedSegLib.mrml.hierarchy import place_beside
from LightMedSegLib.mrml.segmentations.result_record import PREFIX
from LightMedSegLib.mrml.segmentations.shared_labelmap import label_scalars

if TYPE_CHECKING:
    from LightMedSegLib.inference.segmentation import Segmentation

_ROLE = PREFIX + "DoubtOf"
_GREATEST = 255


@dataclass(frozen=True)
class PackedDoubt:
    """Doubt prepared for a node in any thread. places: as places_text."""

    scalars: vtk.vtkUnsignedCharArray
    places: str

    @classmethod
    def of(cls, result: Segmentation) -> PackedDoubt | None:
        """Return the doubt of a result with its places; None if it was not asked for."""
        import SimpleITK as sitk

        if result.doubt is None:
            return None
        places = doubtful_places(result.doubt, result.labelmap, result.card.labels)
        text = places_text(Place.of(place, result.doubt) for place in places)
        return cls(label_scalars(sitk.GetArrayViewFromImage(result.doubt)), text)


def doubt_of(segmentation_node: Any) -> Any:
    """Return the doubt volume of a segmentation node; None if it has none."""
    scene = segmentation_node.GetScene()
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")):
        node = scene.GetNthNodeByClass(index, "vtkMRMLScalarVolumeNode")
        if node.GetNodeReferenceID(_ROLE) == segmentation_node.GetID() and node.GetImageData() is not None:
            return node
    return None


def write_doubt(segmentation_node: Any, volume_node: Any, doubt: PackedDoubt | None) -> Any:
    """Put the doubt of a new result into its volume node, made if there is none, and return the node.

    None removes the doubt of the earlier result in segmentation_node.
    """
    node, scene = doubt_of(segmentation_node), segmentation_node.GetScene()
    if doubt is None:
        if node is not None:
            scene.RemoveNode(node)
        return None
    if node is None:
        name = scene.GenerateUniqueName(f"{segmentation_node.GetName()} doubt")
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        node.SetNodeReferenceID(_ROLE, segmentation_node.GetID())
    before = node.StartModify()
    try:
        _fill(node, volume_node, doubt.scalars)
        keep_places(node, doubt.places)
        if node.GetDisplayNode() is None:
            _make_display(node)
            save_with_scene(node, False)
    finally:
        node.EndModify(before)
    place_beside(node, volume_node)
    return node


def save_with_scene(doubt_node: Any, wanted: bool) -> None:
    """Save a doubt volume and its appearance with the scene, or leave them out."""
    displays = [doubt_node.GetNthDisplayNode(index) for index in range(doubt_node.GetNumberOfDisplayNodes())]
    for node in (doubt_node, *displays):
        node.SetSaveWithScene(wanted)


def legend_of(doubt_node: Any) -> Any:
    """Return the display node of the legend; None if Slicer made none."""
    return slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(doubt_node)


def _fill(node: Any, volume_node: Any, scalars: vtk.vtkUnsignedCharArray) -> None:
    image = vtk.vtkImageData()
    image.SetExtent(volume_node.GetImageData().GetExtent())
    if scalars.GetNumberOfTuples() != image.GetNumberOfPoints():
        raise ValueError(f"{scalars.GetNumberOfTuples()} values for {image.GetNumberOfPoints()} voxels")
    image.GetPointData().SetScalars(scalars)
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())


def _make_display(node: Any) -> None:
    """Certain voxels are transparent; the doubtful ones go from red to yellow."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(slicer.vtkMRMLColorLogic.GetColorTableNodeID(slicer.vtkMRMLColorTableNode.Iron))
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(0, _GREATEST)
    display.SetThreshold(LEAST_DOUBT, _GREATEST)
    display.ApplyThresholdOn()
    display.InterpolateOff()
    # Slicer before its module Colors is loaded has no legends, and its logic logs an error.
    if node.GetScene().IsNodeClassRegistered("vtkMRMLColorLegendDisplayNode"):
        legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
        legend.SetTitleText("Doubt")
        legend.SetAndObserveColorNodeID(display.GetColorNodeID())
        legend.SetVisibility(False)
