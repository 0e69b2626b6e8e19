"""What is selected in the Segment Editor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
