"""Closed surfaces of a segmentation, computed one by one in the background and shown as they are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
import vtk
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext
from LightMedSegLib.mrml.segmentations.result_record import PREFIX
from LightMedSegLib.mrml.segmentations.shared_labelmap import BINARY_LABELMAP, is_labelmap, layer_array, layers
from LightMedSegLib.mrml.surfaces.enclosing import Bounds, enclosing
from LightMedSegLib.mrml.surfaces.filters import SurfaceSettings, make_surface, world_bounds

CLOSED_SURFACE = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()

MAKE_EVENT = vtk.vtkCommand.UserEvent + 27_403
"""Event of a segmentation node that requests its surfaces; an observer computes them in the background."""

_HIDDEN = PREFIX + "EnclosingHidden"
"""Attribute of a node whose enclosing structures were hidden once: the user may show them again."""


@dataclass(frozen=True)
class _Segment:
    """array: of the layer (z, y, x), a copy. origin: index (x, y, z) of its first voxel. matrix: index to world."""

    segment_id: str
    value: int
    array: NDArray[Any]
    origin: tuple[int, int, int]
    matrix: Any


@dataclass(frozen=True)
class _Made:
    segment_id: str
    surface: Any


def surface_job(node: Any, on_end: Callable[[Job], None] = lambda job: None) -> Job:
    """A job for :meth:`Worker.submit` that gives every segment of a segmentation node its closed surface.

    They are the same as Slicer's with default parameters. Structures that enclose most of the others are hidden when
    surfaces of the node are made for the first time. Job.outcome is the list of their names. The job is dropped if
    the node is removed, its segments change, or labelmaps are not its source.
    """
    run = _SurfaceRun(node)
    return Job(run.preparation(), run.work, run.deliver, run.unwanted, on_end)


def has_surfaces(node: Any) -> bool:
    """Return whether any segment of a segmentation node has a closed surface."""
    return bool(node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE))


def remove_surfaces(node: Any) -> None:
    """Remove all closed surfaces that can be made again: not those of an imported surface, which has no voxels."""
    if is_labelmap(node):
        node.RemoveClosedSurfaceRepresentation()


def is_shown_in_3d(node: Any) -> bool:
    """Return whether a segmentation node is shown in 3D views."""
    display = node.GetDisplayNode()
    return bool(display is not None and display.GetVisibility() and display.GetVisibility3D())


def show_in_3d(node: Any, shown: bool) -> None:
    """Show what a segmentation node has in 3D views, or hide it."""
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    if shown:
        node.GetDisplayNode().SetVisibility(True)
    node.GetDisplayNode().SetVisibility3D(shown)


def make_surfaces_again(node: Any) -> None:
    """Update the surfaces of a node whose voxels were replaced: by an observer of MAKE_EVENT, else at once."""
    if node.HasObserver(MAKE_EVENT):
        node.InvokeEvent(MAKE_EVENT)
    else:
        node.CreateClosedSurfaceRepresentation()


class _SurfaceRun:
    def __init__(self, node: Any) -> None:
        self._node = node
        self._settings = SurfaceSettings.of(node.GetSegmentation())
        self._state = self._present_state()
        self._segments: list[_Segment] = []
        self._enclosing: list[str] = []

    def preparation(self) -> Iterator[None]:
        """Copy the labelmaps, one at a time."""
        segmentation = self._node.GetSegmentation()
        for image in layers(segmentation):
            array, matrix = layer_array(image).copy(), vtk.vtkMatrix4x4()
            image.GetImageToWorldMatrix(matrix)
            x, _, y, _, z, _ = image.GetExtent()
            for segment_id in segmentation.GetSegmentIDs():
                segment = segmentation.GetSegment(segment_id)
                if segment.GetRepresentation(BINARY_LABELMAP) is image:
                    value = segment.GetLabelValue()
                    self._segments.append(_Segment(segment_id, value, array, (x, y, z), matrix))
            yield None

    def unwanted(self) -> str:
        """Return why the surfaces are obsolete; "" if they are not."""
        if self._node.GetScene() is None:
            return "The segmentation was removed from the scene."
        if not is_labelmap(self._node):
            return "The segmentation is not made of labelmaps; its surfaces stay as they are."
        return "" if self._present_state() == self._state else "The segments changed while their surfaces were made."

    def work(self, context: JobContext) -> None:
        """Run in the worker thread; VTK's filters release the global interpreter lock while they compute."""
        total = len(self._segments)
        boxes = []
        for segment in self._segments:
            context.cancel.raise_if_cancelled()
            boxes.append(bounding_box(segment.array == segment.value))
        bounds: dict[str, Bounds] = {}
        for segment, box in zip(self._segments, boxes, strict=True):
            if box[0].stop:
                bounds[segment.segment_id] = world_bounds(box, segment.origin, segment.matrix)
        context.publish(enclosing(bounds))
        for number, (segment, box) in enumerate(zip(self._segments, boxes, strict=True)):
            context.cancel.raise_if_cancelled()
            context.progress(number, total, "")
            mask = segment.array[box] == segment.value
            first = [part.start or 0 for part in reversed(box)]
            place = tuple(start + offset for start, offset in zip(first, segment.origin, strict=True))
            context.publish(_Made(segment.segment_id, make_surface(mask, place, segment.matrix, self._settings)))
        context.progress(total, total, "")

    def deliver(self, value: Any, final: bool) -> list[str]:
        """Add a surface, or first hide the enclosing structures; on the main thread."""
        if isinstance(value, _Made):
            segment = self._node.GetSegmentation().GetSegment(value.segment_id)
            segment.AddRepresentation(CLOSED_SURFACE, value.surface)
        elif value is not None:
            self._hide(value)
            self._begin()
        return self._enclosing

    def _begin(self) -> None:
        """Give every segment an empty surface, because a 3D view would compute missing ones itself, all at once."""
        display, segmentation = self._node.GetDisplayNode(), self._node.GetSegmentation()
        if display is not None:
            display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
            display.SetVisibility3D(True)
        # The first one last: what it has counts as what the segmentation has.
        for segment_id in reversed(segmentation.GetSegmentIDs()):
            segmentation.GetSegment(segment_id).AddRepresentation(CLOSED_SURFACE, vtk.vtkPolyData())
        segmentation.InvokeEvent(segmentation.ContainedRepresentationNamesModified)

    def _hide(self, segment_ids: Sequence[str]) -> None:
        display = self._node.GetDisplayNode()
        if display is None or not segment_ids or self._node.GetAttribute(_HIDDEN):
            return
        self._node.SetAttribute(_HIDDEN, "1")
        for segment_id in segment_ids:
            display.SetSegmentVisibility3D(segment_id, False)
            self._enclosing.append(self._node.GetSegmentation().GetSegment(segment_id).GetName())

    def _present_state(self) -> list[tuple[str, int]]:
        segmentation, state = self._node.GetSegmentation(), []
        for segment_id in segmentation.GetSegmentIDs():
            image = segmentation.GetSegment(segment_id).GetRepresentation(BINARY_LABELMAP)
            state.append((segment_id, 0 if image is None else image.GetMTime()))
        return state
