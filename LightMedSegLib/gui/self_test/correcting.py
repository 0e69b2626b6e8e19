"""The steps of a user who corrects by stroke, and makes a structure from clicks: a part of the module's self test."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from LightMedSegLib.core.geometry import Box
from LightMedSegLib.gui.self_test.waiting import wait_until
from LightMedSegLib.mrml.segmentations.reading import read_masks
from LightMedSegLib.mrml.strokes.lattice import Lattice

_STROKE: Box = ((6, 8), (6, 8), (6, 8))


def a_stroke_is_completed_and_undo_takes_both(test: Any, panel: Any, volume: Any) -> None:
    """Paint a little in the Segment Editor with the switch on, then undo."""
    node = _segmentation(volume)
    editor = _segment_editor(node, volume)
    panel.ui.completeCheckBox.checked = True
    wait_until(test, lambda: not panel.correct.completing.busy, "the volume")
    editor.setActiveEffectByName("Paint")
    editor.saveStateForUndo()
    _paint(node, volume)
    wait_until(test, lambda: not panel.correct.completing.busy, "the completion")
    test.assertGreater(_size(node, volume), 8**3 / 2, panel.ui.completeStatusLabel.text)
    editor.undo()
    wait_until(test, lambda: not panel.correct.completing.busy, "the undo")
    test.assertEqual(_size(node, volume), 0)
    panel.ui.completeCheckBox.checked = False
    editor.setActiveEffectByName("")


def a_structure_from_clicks_is_accepted_and_another_discarded(test: Any, panel: Any, volume: Any) -> None:
    """Click into the bright block; Accept keeps the segment, Discard leaves nothing behind."""
    lists = len(slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode"))
    node = _clicked(test, panel, volume)
    panel.ui.acceptButton.click()
    test.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 1)
    test.assertGreater(_size(node, volume), 8**3 / 2)
    _clicked(test, panel, volume)
    panel.ui.discardButton.click()
    test.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 1)
    test.assertEqual(len(slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")), lists)


def _clicked(test: Any, panel: Any, volume: Any) -> Any:
    panel.ui.clicksButton.click()
    test.assertTrue(panel.correct.clicks.active, panel.ui.clicksLabel.text)
    wait_until(test, lambda: not panel.correct.clicks.busy, "the volume")
    panel.correct.clicks.points.lists[True].AddControlPointWorld(_middle(volume))
    wait_until(test, lambda: not panel.correct.clicks.busy, "the structure")
    return panel.logic.getParameterNode().outputSegmentation


def _middle(volume: Any) -> list[float]:
    """A place (RAS, mm) inside the bright block."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return list(matrix.MultiplyPoint([low + 1.0 for low, _ in _STROKE] + [1.0])[:3])


def _segmentation(volume: Any) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Corrected")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.GetSegmentation().AddEmptySegment("object", "object")
    return node


def _segment_editor(node: Any, volume: Any) -> Any:
    """The Segment Editor's widget with nodes; without a main window its module is only entered."""
    widget = slicer.util.getModuleWidget("SegmentEditor")
    slicer.util.selectModule("SegmentEditor") if slicer.util.mainWindow() else widget.enter()
    widget.editor.setSegmentationNode(node)
    widget.editor.setSourceVolumeNode(volume)
    widget.editor.setCurrentSegmentID("object")
    return widget.editor


def _paint(node: Any, volume: Any) -> None:
    """What a stroke of Paint writes at its release."""
    logic, lattice = slicer.vtkSlicerSegmentationsModuleLogic, Lattice.of(node, volume)
    voxels = np.ones([high - low for low, high in reversed(_STROKE)], dtype=np.uint8)
    image, extent = lattice.block(_STROKE, voxels), lattice.extent(_STROKE)
    logic.SetBinaryLabelmapToSegment(image, node, "object", logic.MODE_MERGE_MASK, extent)


def _size(node: Any, volume: Any) -> int:
    """Voxels of the first segment."""
    segment_id = node.GetSegmentation().GetNthSegmentID(0)
    return int(np.count_nonzero(read_masks(node, volume, [segment_id])[segment_id]))
