"""What the Segment Editor is set to: segmentation, segment, effect, and what its masking permits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from LightMedSegLib.mrml.segmentations.shared_labelmap import layer_array
from LightMedSegLib.mrml.strokes.lattice import Lattice

STROKE_EFFECTS = ("Paint", "Draw", "Erase")
"""Effects of which every use is a stroke."""

_TAG = "SegmentEditor"


def editor_node(scene: Any) -> Any:
    """The parameter node of the Segment Editor module; None before the module was opened."""
    return scene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")


@dataclass(frozen=True)
class Selection:
    """What is being edited; None where nothing is chosen. segment_id: "" for none."""

    segmentation: Any
    segment_id: str
    volume: Any

    @classmethod
    def of(cls, editor: Any) -> Selection:
        """The selection of an editor node; the volume is the segmentation's own if the editor has none."""
        node = editor.GetSegmentationNode() if editor is not None else None
        if node is None or node.GetScene() is None:
            return cls(None, "", None)
        volume = editor.GetSourceVolumeNode()
        if volume is None:
            volume = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
        segment_id = editor.GetSelectedSegmentID() or ""
        if node.GetSegmentation().GetSegment(segment_id) is None:
            segment_id = ""
        return cls(node, segment_id, volume)


def overwritten_segments(editor: Any, segment_id: str) -> list[str]:
    """The segments that lose the voxels that segment_id gets, as the editor's masking says."""
    node, mode = editor.GetSegmentationNode(), editor.GetOverwriteMode()
    others = [name for name in node.GetSegmentation().GetSegmentIDs() if name != segment_id]
    if mode == editor.OverwriteNone:
        return []
    display = node.GetDisplayNode()
    if mode == editor.OverwriteVisibleSegments and display is not None:
        return [name for name in others if display.GetSegmentVisibility(name)]
    return others


@dataclass(frozen=True)
class Masking:
    """Where the editor permits changes: inside (z, y, x; None: everywhere) and in a range of the volume's values."""

    inside: NDArray[np.bool_] | None = None
    intensities: tuple[float, float] | None = None

    @classmethod
    def of(cls, editor: Any, segment_id: str, lattice: Lattice) -> Masking:
        """The masking that an editor node is set to; on the main thread."""
        intensities = None
        if editor.GetSourceVolumeIntensityMask():
            low, high = editor.GetSourceVolumeIntensityMaskRange()
            intensities = (float(low), float(high))
        node, mode = editor.GetSegmentationNode(), editor.GetMaskMode()
        if mode == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere:
            return cls(None, intensities)
        reference = lattice.block(lattice.whole, np.zeros(lattice.grid.shape, dtype=np.uint8))
        mask = slicer.vtkOrientedImageData()
        if not node.GenerateEditMask(mask, mode, reference, segment_id, editor.GetMaskSegmentID() or ""):
            return cls(None, intensities)
        return cls(layer_array(mask) == 0, intensities)

    def allowed(self, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """The voxels (z, y, x) that may change, from the volume's values; None: all. In any thread."""
        if self.intensities is None:
            return self.inside
        low, high = self.intensities
        fitting = (values >= low) & (values <= high)
        return fitting if self.inside is None else fitting & self.inside
