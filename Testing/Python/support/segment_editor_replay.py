"""The Segment Editor's actions, by the calls that it makes itself, in its order, on Slicer's real core."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from vtk.util.numpy_support import vtk_to_numpy

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


class SegmentEditorReplay:
    """An editor node, and the logic (with its undo stack) that Slicer's Segment Editor uses.

    Masks (z, y, x) are of the volume. logic: of a Segment Editor that is open; None: its own.
    """

    def __init__(self, scene: Any, segmentation: Any, volume: Any, logic: Any = None) -> None:
        editor = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        if editor is None:
            editor = slicer.vtkMRMLSegmentEditorNode()
            editor.SetSingletonTag("SegmentEditor")
            editor = scene.AddNode(editor)
        if logic is None:
            logic = slicer.vtkSlicerSegmentEditorLogic()
            logic.SetMRMLScene(scene)
            logic.SetMaximumNumberOfUndoStates(10)
            logic.SetSegmentEditorNode(editor)
        self.editor, self.segmentation, self.volume, self.logic = editor, segmentation, volume, logic
        editor.SetAndObserveSegmentationNode(segmentation)
        editor.SetAndObserveSourceVolumeNode(volume)
        if not segmentation.GetSegmentation().GetConversionParameter("Reference image geometry"):
            segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.volume.GetImageData().GetDimensions()[::-1])

    def select(self, segment_id: str) -> None:
        self.editor.SetSelectedSegmentID(segment_id)

    def add(self, segment_id: str) -> str:
        """The button Add."""
        self.logic.SaveStateForUndo()
        self.segmentation.GetSegmentation().AddEmptySegment(segment_id, segment_id)
        self.select(segment_id)
        return segment_id

    def remove(self) -> None:
        """The button Remove."""
        self.logic.RemoveSelectedSegment()

    def paint(self, voxels: np.ndarray, effect: str = "Paint") -> None:
        """A stroke, or a closed outline: one write at the release."""
        self.editor.SetActiveEffectName(effect)
        self.logic.SaveStateForUndo()
        self._modify(voxels, self.logic.ModificationModeAdd)

    def erase(self, voxels: np.ndarray, effect: str = "Erase") -> None:
        self.editor.SetActiveEffectName(effect)
        self.logic.SaveStateForUndo()
        self._modify(voxels, self.logic.ModificationModeRemove)

    def scissors(self, voxels: np.ndarray) -> None:
        """Erase inside a drawn outline."""
        self.erase(voxels, "Scissors")

    def smooth(self, voxels: np.ndarray, effect: str = "Smoothing") -> None:
        """Smoothing and Margin: the segment is emptied first, then filled."""
        self.editor.SetActiveEffectName(effect)
        self.logic.SaveStateForUndo()
        self._modify(voxels, self.logic.ModificationModeSet)

    def islands(self, voxels: np.ndarray) -> None:
        """Keep largest: two writes, for which the node's own events are batched."""
        self.editor.SetActiveEffectName("Islands")
        self.logic.SaveStateForUndo()
        before = self.segmentation.StartModify()
        self._modify(voxels, self.logic.ModificationModeSet)
        self.segmentation.EndModify(before)

    def threshold(self, voxels: np.ndarray) -> None:
        """Apply; the effect is left."""
        self.editor.SetActiveEffectName("Threshold")
        self.logic.SaveStateForUndo()
        self._modify(voxels, self.logic.ModificationModeSet)
        self.editor.SetActiveEffectName("")

    def undo(self) -> None:
        self.logic.Undo()

    def redo(self) -> None:
        self.logic.Redo()

    def mask(self, segment_id: str) -> np.ndarray:
        """The segment on the volume's voxels, read by the bridge's own reader of whole segments."""
        from LightMedSegLib.mrml.segmentations.reading import read_masks

        return read_masks(self.segmentation, self.volume, [segment_id])[segment_id]

    def _modify(self, voxels: np.ndarray, mode: int) -> None:
        assert self.logic.ResetModifierLabelmapToDefault()
        modifier = self.logic.GetModifierLabelmap()
        values = vtk_to_numpy(modifier.GetPointData().GetScalars()).reshape(modifier.GetDimensions()[::-1])
        values[...] = voxels
        modifier.Modified()
        segment_id = self.editor.GetSelectedSegmentID()
        self.logic.ModifySegmentByLabelmap(self.segmentation, segment_id, modifier, mode, False, False)


def cube(shape: tuple[int, ...], box: Box) -> np.ndarray:
    """A mask (z, y, x) of a box ((x0, x1), (y0, y1), (z0, z1))."""
    result = np.zeros(shape, dtype=np.uint8)
    (x0, x1), (y0, y1), (z0, z1) = box
    result[z0:z1, y0:y1, x0:x1] = 1
    return result


def raw_segments(node: Any) -> list[tuple[Any, ...]]:
    """All bytes of all segments of a node, with identifiers, label values and extents."""
    segmentation, found = node.GetSegmentation(), []
    for segment_id in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segment_id)
        image = segment.GetRepresentation("Binary labelmap")
        scalars = image.GetPointData().GetScalars() if image is not None else None
        content = b"" if scalars is None else bytes(memoryview(scalars))
        found.append((segment_id, segment.GetLabelValue(), image.GetExtent() if image is not None else (), content))
    return found
