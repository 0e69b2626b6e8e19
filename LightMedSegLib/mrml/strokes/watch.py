"""What a segmentation tells: collected while it happens, asked for from the event loop.

The events of each action of the Segment Editor are measured: a stroke is one RepresentationModified; Islands and
Smoothing send two, the first with an empty segment; Undo and Redo send only SegmentModified; a segment of a shared
layer may change without an event of its own.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import slicer
import vtk

from LightMedSegLib.mrml.strokes.editor import STROKE_EFFECTS, editor_node


class Kind(enum.Enum):
    """What changed a segment. FOLLOW: Undo or Redo."""

    STROKE = "stroke"
    EDIT = "edit"
    FOLLOW = "follow"


@dataclass
class News:
    """The events since the last call of SegmentationWatch.take.

    strokes: segments that were selected while an effect of strokes wrote them. written: whether voxels were written.
    modified: segments that sent SegmentModified.
    """

    strokes: set[str] = field(default_factory=set)
    written: bool = False
    modified: set[str] = field(default_factory=set)

    def kind(self, segment_id: str) -> Kind:
        """What a change of a segment is due to."""
        if segment_id in self.strokes:
            return Kind.STROKE
        if segment_id in self.modified and not self.written:
            return Kind.FOLLOW
        return Kind.EDIT


class SegmentationWatch:
    """Follows one segmentation node.

    on_news() is called inside the events, many times for one action: it has to ask the event loop to call take()
    later. on_gone(segment identifier) is called when a segment is removed, with "" when all of them are replaced.
    """

    _writing = False

    def __init__(self, on_news: Callable[[], None], on_gone: Callable[[str], None]) -> None:
        self._on_news, self._on_gone = on_news, on_gone
        self._node: Any = None
        self._node_tag = 0
        self._segmentation: Any = None
        self._tags: list[int] = []
        self._news: News | None = None

    @property
    def waiting(self) -> bool:
        """Whether there are events that were not taken yet."""
        return self._news is not None

    def follow(self, node: Any) -> None:
        """Follow a segmentation node instead of the former one; None: none."""
        if node is self._node:
            return
        if self._node is not None:
            self._node.RemoveObserver(self._node_tag)
        self._node = node
        if node is not None:
            self._node_tag = node.AddObserver(node.SegmentationChangedEvent, self._on_segmentation_changed)
        self._attach()

    def take(self) -> News | None:
        """The events since the last call, None if there were none."""
        news, self._news = self._news, None
        return news

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Ignore the events of a write of our own; no other watch takes it for the user's either."""
        SegmentationWatch._writing = True
        try:
            yield
        finally:
            SegmentationWatch._writing = False

    def _attach(self) -> None:
        for tag in self._tags:
            self._segmentation.RemoveObserver(tag)
        self._tags, self._news = [], None
        self._segmentation = self._node.GetSegmentation() if self._node is not None else None
        if self._segmentation is None:
            return
        kind = slicer.vtkSegmentation
        for event, function in (
            (kind.RepresentationModified, self._on_representation),
            (kind.SourceRepresentationModified, self._on_source),
            (kind.SegmentModified, self._on_segment),
            (kind.SegmentRemoved, self._on_removed),
        ):
            self._tags.append(self._segmentation.AddObserver(event, with_call_data(vtk.VTK_STRING, function, "")))

    def _on_segmentation_changed(self, caller: Any, event: Any) -> None:
        if self._node.GetSegmentation() is not self._segmentation:
            self._attach()
            self._on_gone("")

    def _on_representation(self, segment_id: str) -> None:
        if self._writing:
            return
        news = self._note()
        news.written = True
        editor = editor_node(self._node.GetScene()) if self._node.GetScene() is not None else None
        # Read here: Threshold, for example, is left right after it has written.
        if editor is None or editor.GetSegmentationNode() is not self._node:
            return
        if editor.GetSelectedSegmentID() == segment_id:
            if editor.GetActiveEffectName() in STROKE_EFFECTS:
                news.strokes.add(segment_id)
            else:
                news.strokes.discard(segment_id)

    def _on_source(self, segment_id: str) -> None:
        if not self._writing:
            self._note().written = True

    def _on_segment(self, segment_id: str) -> None:
        if not self._writing:
            self._note().modified.add(segment_id)

    def _on_removed(self, segment_id: str) -> None:
        self._on_gone(segment_id)

    def _note(self) -> News:
        if self._news is None:
            self._news = News()
            self._on_news()
        return self._news


def with_call_data(kind: int, function: Callable[[Any], None], without: Any = None) -> Callable[..., None]:
    """An observer that hands the call data of an event to a function. kind: VTK_STRING or VTK_OBJECT."""

    def observer(caller: Any, event: Any, data: Any = None) -> None:
        function(without if data is None else data)

    typed: Callable[..., None] = vtk.calldata_type(kind)(observer)
    return typed
