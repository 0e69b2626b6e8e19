"""One segment of the scene and its correction session, kept in step with each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, region_of, union_box
from LightMedSegLib.interaction.saved_state import box_from, from_arrays, to_arrays
from LightMedSegLib.interaction.session import CorrectionSession
from LightMedSegLib.interaction.strokes import Change, Stroke
from LightMedSegLib.mrml.strokes.marks import keep_marks, kept_marks
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
from LightMedSegLib.mrml.strokes.watch import Kind, News

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.interaction.completion import Promptable


@dataclass(frozen=True)
class Taken:
    """What the user did to a segment. strokes: what the network may complete now."""

    kind: Kind
    strokes: tuple[Stroke, ...] = ()


class SegmentCorrection:
    """Follows one segment: what the user does goes to the session, what the session completes goes to the segment.

    The session's mask is the segment as it was last seen. Everything is on the main thread. Strokes count as edits
    at once, so they are marked even if nothing completes them; a completion is a step of its own.
    """

    def __init__(self, voxels: SegmentVoxels) -> None:
        self.voxels = voxels
        self._reach, _ = voxels.read()
        self._seen = voxels.mask()
        self._session: CorrectionSession | None = None
        self._completed: list[Box] = []
        self._place = 0
        self._unfinished: set[int] = set()

    @property
    def ready(self) -> bool:
        """Whether begin was called."""
        return self._session is not None

    @property
    def session(self) -> CorrectionSession:
        """The session. Raises RuntimeError before begin."""
        if self._session is None:
            raise RuntimeError("The correction has no volume yet.")
        return self._session

    def begin(self, volume: sitk.Image, completer: Promptable) -> None:
        """Start the session on the volume on the voxels of the lattice, with the marks that the scene keeps."""
        self._session = CorrectionSession(volume, completer, self._seen)
        self._seen = np.zeros((0, 0, 0), dtype=bool)
        state = kept_marks(self.voxels.node).get(self.voxels.segment_id)
        if state is None:
            return
        try:
            hard, strokes, _ = from_arrays(state, self.session.grid.shape)
            self._completed = [box_from(numbers) for numbers in state.get("completed_boxes", ())]
        except (InputImageError, ValueError, TypeError):
            # Marks of another volume, or a text that somebody has spoilt.
            self._completed = []
            return
        self.session.restore(_still_true(hard, strokes, self.session.mask))

    def take(self, news: News) -> Taken | None:
        """Bring the session in line with the segment after events; None if the segment is as it was."""
        found = self.voxels.difference(self.session.mask, self._reach)
        if found is None:
            return None
        box, after = found
        self._reach = union_box(self._reach, box)
        kind = news.kind(self.voxels.segment_id)
        strokes: tuple[Stroke, ...] = ()
        if kind is Kind.FOLLOW:
            self._follow(box, after)
        else:
            if kind is Kind.STROKE:
                strokes = tuple(Stroke.difference(self.session.mask[region_of(box)], after, box))
            self.session.add_edit(box, after)
            self._stepped()
        self.keep()
        return Taken(kind, strokes)

    def take_from_neighbour(self) -> None:
        """Bring the session in line after the completion of another segment, which marks nothing here."""
        found = self.voxels.difference(self.session.mask, self._reach)
        if found is not None:
            self.session.add_edit(*found, by_user=False)
            self._stepped()
            self.keep()

    def still_marked(self, stroke: Stroke) -> Stroke | None:
        """The part of a stroke that no later action has changed; None if nothing is left."""
        mask = self.session.mask[region_of(stroke.box)]
        left = replace(stroke, voxels=stroke.voxels & (mask == stroke.include))
        return left.cropped() if left.voxels.any() else None

    def accept(
        self,
        stroke: Stroke,
        change: Change,
        overwritten: Sequence[str],
        writing: Callable[[], AbstractContextManager[None]],
    ) -> Change:
        """Write a completion into the segment; returns what changed. writing: the watch's, so that it looks away."""
        # The Segment Editor has no state between a stroke and its completion to go back to.
        self._unfinished.add(self._place)
        done = self.session.accept(stroke, change)
        self._stepped()
        self._reach = union_box(self._reach, done.box)
        if done.changed.any():
            self._completed.append(done.box)
            with writing():
                self.voxels.write(done.box, done.before, done.after, overwritten)
        self.keep()
        return done

    def keep(self) -> None:
        """Store the marks in the scene."""
        boxes = np.array(self._completed, dtype=np.int64).reshape(-1, 3, 2)
        keep_marks(self.voxels.node, self.voxels.segment_id, {**self.session.state(), "completed_boxes": boxes})

    def _follow(self, box: Box, after: NDArray[np.bool_]) -> None:
        """Go to the step of the session that looks like the segment after Undo or Redo."""
        session = self.session
        # Where both directions look alike, the later one keeps more marks.
        forward = self._steps(session.redo, session.undo, 1)
        backward = 0 if forward else self._steps(session.undo, session.redo, -1)
        if forward:
            _repeat(session.redo, forward)
            self._place += forward
        elif backward:
            _repeat(session.undo, backward)
            self._place -= backward
        else:
            # A state from before the session: what it takes back is not marked any more.
            session.add_edit(box, after, by_user=False)
            self._stepped()

    def _steps(self, step: Callable[[], Any], back: Callable[[], Any], direction: int) -> int:
        """How many steps lead to the segment as it is, 0 if none do; the session is then where it was."""
        done, found = 0, False
        while not found and step() is not None:
            done += 1
            finished = self._place + direction * done not in self._unfinished
            found = finished and self.voxels.difference(self.session.mask, self._reach) is None
        _repeat(back, done)
        return done if found else 0

    def _stepped(self) -> None:
        """A step that was just made takes the place of those that were undone."""
        self._place += 1
        self._unfinished = {place for place in self._unfinished if place < self._place}


def _repeat(step: Callable[[], Any], times: int) -> None:
    for _ in range(times):
        step()


def _still_true(hard: NDArray[np.int8], strokes: Sequence[Stroke], mask: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """The state of marks and strokes without those that a mask contradicts."""
    kept = np.where((hard != 0) & ((hard > 0) == mask), hard, 0).astype(np.int8)
    agreeing = []
    for stroke in strokes:
        voxels = stroke.voxels & (mask[region_of(stroke.box)] == stroke.include)
        if voxels.any():
            agreeing.append(replace(stroke, voxels=voxels).cropped())
    return to_arrays(kept, agreeing, False)
