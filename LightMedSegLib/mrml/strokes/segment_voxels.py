"""The voxels of one segment on the lattice of a correction: read, compared, and written in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, bounding_box, box_of, common_box, region_of, union_box
from LightMedSegLib.mrml.segmentations.reading import layer_to_segmentation, on_volume, whole_offset
from LightMedSegLib.mrml.segmentations.shared_labelmap import BINARY_LABELMAP, layer_array
from LightMedSegLib.mrml.strokes.boxes import moved, placed
from LightMedSegLib.mrml.strokes.lattice import Lattice

_KEEP = 255
_NOTHING: Box = ((0, 0), (0, 0), (0, 0))


@dataclass(frozen=True)
class SegmentVoxels:
    """One segment of a segmentation node; everything is on the main thread."""

    node: Any
    segment_id: str
    lattice: Lattice

    @property
    def exists(self) -> bool:
        """Whether the segment is still in the scene."""
        return self.node.GetScene() is not None and self.node.GetSegmentation().GetSegment(self.segment_id) is not None

    def mask(self) -> NDArray[np.bool_]:
        """The segment (z, y, x) on all voxels of the lattice."""
        return self.part(self.lattice.grid.box)

    def read(self, within: Box | None = None) -> tuple[Box, NDArray[np.bool_]]:
        """The box of within (None: the lattice) that the labelmap covers, and the segment there (z, y, x)."""
        within = within or self.lattice.grid.box
        segment = self.node.GetSegmentation().GetSegment(self.segment_id)
        image, shape = segment.GetRepresentation(BINARY_LABELMAP), self.lattice.grid.shape
        layer = layer_array(image) if image is not None else np.zeros((0, 0, 0), dtype=np.uint8)
        if layer.size == 0:
            return _NOTHING, np.zeros((0, 0, 0), dtype=bool)
        to_layer = np.linalg.inv(layer_to_segmentation(image)) @ self.lattice.matrix
        offset = whole_offset(to_layer, shape)
        if offset is None:
            layer, offset = on_volume(layer, to_layer, shape), np.zeros(3, dtype=np.int64)
        covered = [(-shift, size - shift) for shift, size in zip(offset.tolist(), layer.shape[::-1], strict=True)]
        box = common_box((covered[0], covered[1], covered[2]), within)
        if any(low >= high for low, high in box):
            return _NOTHING, np.zeros((0, 0, 0), dtype=bool)
        part = layer[region_of(moved(box, offset.tolist()))]
        return box, part == segment.GetLabelValue()

    def difference(self, mask: NDArray[np.bool_], reach: Box) -> tuple[Box, NDArray[np.bool_]] | None:
        """Where the segment is not as in mask: a box and the segment's voxels there; None if it is.

        reach: a box that holds all of mask.
        """
        box, part = self.read()
        whole = union_box(box, reach) if part.size else reach
        now = placed(part, box, whole)
        region = bounding_box(now ^ mask[region_of(whole)])
        if region[0].start == region[0].stop:
            return None
        return box_of(region, whole), now[region].copy()

    def write(
        self, box: Box, before: NDArray[np.bool_], after: NDArray[np.bool_], overwritten: Sequence[str] = ()
    ) -> None:
        """Change the segment in a box from before to after (z, y, x), and nothing else.

        overwritten: identifiers of segments that lose the voxels that this one gets. The segment stays in its shared
        layer unless it then overlaps another one there.
        """
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        others = [name for name in self.node.GetSegmentation().GetSegmentIDs() if name != self.segment_id]
        added, removed = after & ~before, before & ~after
        if removed.any():
            # Nothing overlaps by a removal: with the others named Slicer does not look for that, and keeps the layer.
            self._merge(self.segment_id, box, np.where(removed, 0, _KEEP), logic.MODE_MERGE_MIN, others)
        if added.any():
            self._merge(self.segment_id, box, added, logic.MODE_MERGE_MASK, overwritten)
            self.take_from(overwritten, box, added)

    def take_from(self, others: Sequence[str], box: Box, voxels: NDArray[np.bool_]) -> None:
        """Remove voxels (z, y, x) of a box from other segments, by identifier."""
        logic, known = slicer.vtkSlicerSegmentationsModuleLogic, self.node.GetSegmentation().GetSegmentIDs()
        for name in others:
            if (SegmentVoxels(self.node, name, self.lattice).part(box) & voxels).any():
                rest = [other for other in known if other != name]
                self._merge(name, box, np.where(voxels, 0, _KEEP), logic.MODE_MERGE_MIN, rest)

    def part(self, box: Box) -> NDArray[np.bool_]:
        """The segment's voxels (z, y, x) in a box."""
        read, voxels = self.read(box)
        return placed(voxels, read, box)

    def _merge(self, segment_id: str, box: Box, values: NDArray[Any], mode: int, overwritten: Sequence[str]) -> None:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        image, extent = self.lattice.block(box, values.astype(np.uint8)), self.lattice.extent(box)
        logic.SetBinaryLabelmapToSegment(image, self.node, segment_id, mode, extent, False, list(overwritten))
