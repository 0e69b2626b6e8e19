"""A new segment that is made from clicks, and shown while it is being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import bounding_box, box_of
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.mrml.hierarchy import place_beside
from LightMedSegLib.mrml.strokes.click_points import Point, point_stroke
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.strokes.marks import keep_marks
from LightMedSegLib.mrml.strokes.masking import Masking
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.interaction.completion import Promptable


class PointsSession:
    """From points to the mask of a structure; points that were answered before are not computed again."""

    def __init__(self, volume: sitk.Image, completer: Promptable) -> None:
        self._volume, self._completer = volume, completer
        self._session: CorrectionSession | None = None
        self._answered: list[Point] = []

    def mask(self, points: Sequence[Point], masking: Masking, cancel: CancelToken) -> NDArray[np.bool_]:
        """The structure (z, y, x) that points (in their order) mark where the masking permits; in any thread.

        Raises InputImageError for a point outside the volume, CancelledError once cancel is set.
        """
        import SimpleITK as sitk

        known, allowed = len(self._answered), masking.allowed(sitk.GetArrayViewFromImage(self._volume))
        if self._session is None or self._answered != list(points[:known]):
            self._session = CorrectionSession(self._volume, self._completer, new_object=True)
            self._answered, known = [], 0
        for point in points[known:]:
            self._session.add_stroke(point_stroke(point, self._session.grid), allowed, cancel)
            self._answered.append(point)
        return self._session.mask.copy()

    def state(self) -> dict[str, NDArray[Any]]:
        """What the points mark, for the scene; {} before the first point."""
        return self._session.state() if self._session is not None else {}


def new_segmentation(volume: Any, name: str) -> Any:
    """An empty segmentation node for the structures of a volume node, under its transform and beside it."""
    scene = volume.GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), volume.GetID())
    node.CreateDefaultDisplayNodes()
    place_beside(node, volume)
    return node


class NewStructure:
    """The segment. It overwrites no other one before it is accepted."""

    def __init__(self, node: Any, volume: Any, name: str) -> None:
        self.lattice = Lattice.of(node, volume)
        segmentation = node.GetSegmentation()
        segment_id = segmentation.AddEmptySegment(segmentation.GenerateUniqueSegmentID(name), name)
        self.voxels = SegmentVoxels(node, segment_id, self.lattice)
        self._shown = np.zeros(self.lattice.grid.shape, dtype=bool)

    def show(self, mask: NDArray[np.bool_]) -> None:
        """Make the segment what mask (z, y, x) says."""
        region = bounding_box(mask ^ self._shown)
        if region[0].start != region[0].stop:
            self.voxels.write(box_of(region), self._shown[region], mask[region])
        self._shown = mask

    @property
    def voxel_count(self) -> int:
        """How many voxels the segment has."""
        return int(np.count_nonzero(self._shown))

    def accept(self, overwritten: Sequence[str], state: dict[str, NDArray[Any]]) -> None:
        """Keep the segment. overwritten: segments that lose its voxels. state: the marks, kept in the scene."""
        region = bounding_box(self._shown)
        if region[0].start != region[0].stop:
            self.voxels.take_from(overwritten, box_of(region), self._shown[region])
        if state:
            keep_marks(self.voxels.node, self.voxels.segment_id, state)

    def discard(self) -> None:
        """Remove the segment."""
        if self.voxels.exists:
            self.voxels.node.GetSegmentation().RemoveSegment(self.voxels.segment_id)
