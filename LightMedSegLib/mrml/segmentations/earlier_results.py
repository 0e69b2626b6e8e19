"""Earlier results of a volume, which would cover a new one in the views."""

from __future__ import annotations

from typing import Any

import slicer

from LightMedSegLib.core.geometry import Box
from LightMedSegLib.mrml.segmentations.result_record import ResultRecord, region_box


def show_alone(node: Any) -> list[str]:
    """Show a result and hide others of the same voxels in all views; return the names of those that were visible.

    Segmentations that LightMedSeg did not make, and results of another region of the volume, stay as they are.
    """
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    volume, record = node.GetNodeReferenceID(role), ResultRecord.read(node)
    if volume is None or record is None:
        return []
    # A result that is used again may have been hidden by that of another model.
    node.GetDisplayNode().SetVisibility(True)
    scene, hidden = node.GetScene(), []
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        other = scene.GetNthNodeByClass(index, "vtkMRMLSegmentationNode")
        earlier, display = ResultRecord.read(other), other.GetDisplayNode()
        if other is node or earlier is None or display is None or not display.GetVisibility():
            continue
        same_place = _overlap(region_box(record.region), region_box(earlier.region))
        if other.GetNodeReferenceID(role) == volume and same_place:
            display.SetVisibility(False)
            hidden.append(other.GetName())
    return hidden


def _overlap(first: Box | None, second: Box | None) -> bool:
    if first is None or second is None:
        return True
    return all(max(a, c) < min(b, d) for (a, b), (c, d) in zip(first, second, strict=True))
