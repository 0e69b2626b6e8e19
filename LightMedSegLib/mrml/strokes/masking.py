"""Where the Segment Editor's masking lets a segment change, and which segments lose the voxels that it gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.interaction.saved_state import from_arrays
from LightMedSegLib.mrml.segmentations.shared_labelmap import layer_array
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.strokes.marks import kept_marks
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels


def overwritten_segments(editor: Any, node: Any, segment_id: str) -> list[str]:
    """The segments that lose the voxels that segment_id gets, as the editor's masking says (None: its default)."""
    others = [name for name in node.GetSegmentation().GetSegmentIDs() if name != segment_id]
    mode = slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments if editor is None else editor.GetOverwriteMode()
    if mode == slicer.vtkMRMLSegmentEditorNode.OverwriteNone:
        return []
    display = node.GetDisplayNode()
    if mode == slicer.vtkMRMLSegmentEditorNode.OverwriteVisibleSegments and display is not None:
        return [name for name in others if display.GetSegmentVisibility(name)]
    return others


@dataclass(frozen=True)
class Masking:
    """Where the editor permits changes: inside (z, y, x; None: everywhere) and in a range of the volume's values."""

    inside: NDArray[np.bool_] | None = None
    intensities: tuple[float, float] | None = None

    @classmethod
    def of(cls, editor: Any, node: Any, segment_id: str, lattice: Lattice) -> Masking:
        """Where a segment may change: the masking of an editor node that edits it, without what others protect.

        On the main thread. What the user painted in a segment that would be overwritten is protected. Raises
        InputImageError for a masking that is not known.
        """
        protected = _painted(node, overwritten_segments(editor, node, segment_id), lattice)
        if editor is None or editor.GetSegmentationNode() is not node:
            return cls(None if protected is None else ~protected)
        inside, intensities = _edit_mask(editor, node, segment_id, lattice), None
        if editor.GetSourceVolumeIntensityMask():
            low, high = editor.GetSourceVolumeIntensityMaskRange()
            intensities = (float(low), float(high))
        if protected is not None:
            inside = ~protected if inside is None else inside & ~protected
        return cls(inside, intensities)

    def allowed(self, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """The voxels (z, y, x) that may change, from the volume's values; None: all. In any thread."""
        if self.intensities is None:
            return self.inside
        low, high = self.intensities
        fitting = (values >= low) & (values <= high)
        return fitting if self.inside is None else fitting & self.inside


def _edit_mask(editor: Any, node: Any, segment_id: str, lattice: Lattice) -> NDArray[np.bool_] | None:
    mode = editor.GetMaskMode()
    if mode == slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere:
        return None
    reference = lattice.block(lattice.grid.box, np.zeros(lattice.grid.shape, dtype=np.uint8))
    mask = slicer.vtkOrientedImageData()
    if not node.GenerateEditMask(mask, mode, reference, segment_id, editor.GetMaskSegmentID() or ""):
        raise InputImageError("This masking of the Segment Editor is not supported; choose another editable area.")
    result: NDArray[np.bool_] = layer_array(mask) == 0
    return result


def _painted(node: Any, segment_ids: Sequence[str], lattice: Lattice) -> NDArray[np.bool_] | None:
    """The voxels that the user painted in segments and that these still have; None if there are none."""
    kept, result = kept_marks(node), None
    for name in segment_ids:
        if name not in kept:
            continue
        try:
            hard, _, _ = from_arrays(kept[name], lattice.grid.shape)
        except InputImageError:
            continue
        painted = (hard > 0) & SegmentVoxels(node, name, lattice).mask()
        result = painted if result is None else result | painted
    return result
