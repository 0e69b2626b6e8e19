"""Completes the strokes of the Segment Editor while it is switched on, whichever module is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui.correct.texts import completion_text
from LightMedSegLib.gui.segment.runner import Runner
from LightMedSegLib.gui.widgets.node_watch import NodeWatch
from LightMedSegLib.interaction.strokes import Change, Stroke
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.segmentations.shared_labelmap import is_labelmap
from LightMedSegLib.mrml.strokes.completion_jobs import completion_job, volume_job
from LightMedSegLib.mrml.strokes.correction import SegmentCorrection
from LightMedSegLib.mrml.strokes.editor import Selection, editor_node
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.strokes.masking import Masking, overwritten_segments
from LightMedSegLib.mrml.strokes.parking import Parking
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
from LightMedSegLib.mrml.strokes.stroke_queue import StrokeQueue
from LightMedSegLib.mrml.strokes.watch import Kind, SegmentationWatch, with_call_data
from LightMedSegLib.mrml.volumes import VolumeState, check_volume_node, snapshot

if TYPE_CHECKING:
    from LightMedSegLib.interaction.completion import Promptable

_END_SECONDS = 0.3


class Completing:
    """Follows the Segment Editor's selection, and its strokes.

    tell(text): called with each new status, one sentence or "". on_change(voxels): called when a segment was changed.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.correction: SegmentCorrection | None = None
        self.on_change: Callable[[SegmentVoxels], None] = lambda voxels: None
        self._tell = tell
        self._completer: Promptable | None = None
        self._told_notes = 0
        self._runner = Runner()
        self._watch = SegmentationWatch(self._ask_later, self._on_gone)
        self._nodes = NodeWatch(self.follow_selection)
        self._observed: list[tuple[Any, int]] = []
        self._target: tuple[Any, ...] = ()
        self._image: tuple[tuple[Any, ...], Any] | None = None
        self._queue = StrokeQueue()
        self._parking = Parking()
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.interval = 0
        self._later.connect("timeout()", self.look)

    @property
    def on(self) -> bool:
        """Whether strokes are completed."""
        return self._completer is not None

    @property
    def busy(self) -> bool:
        """Whether a stroke is being completed, or waits for it."""
        return bool(self._queue) or self._runner.job is not None or self._watch.waiting

    def switch(self, completer: Promptable | None) -> None:
        """Complete strokes with a network from now on; None: stop it."""
        if completer is self._completer:
            return
        self._completer, self._told_notes = completer, 0
        for subject, tag in self._observed:
            subject.RemoveObserver(tag)
        self._observed = []
        if completer is not None:
            scene = slicer.mrmlScene
            observer = with_call_data(vtk.VTK_OBJECT, self._on_node_added)
            self._observed.append((scene, scene.AddObserver(scene.NodeAddedEvent, observer)))
            self._observe_editor()
        else:
            self._leave("")
            self._image = None

    def stop(self) -> None:
        """Switch off, and release the nodes and the threads; called before the panel is destroyed."""
        self.switch(None)
        self._later.stop()
        self._runner.stop()

    def close(self) -> None:
        """As stop(), and wait a moment for the end of the thread."""
        self.stop()
        self._runner.close(_END_SECONDS)

    def follow_selection(self) -> None:
        """Bring everything in line with what is selected in the Segment Editor."""
        if self._completer is None:
            return
        if self._watch.waiting:
            # It belongs to what was selected until now.
            self.look()
        selection = Selection.of(editor_node(slicer.mrmlScene))
        self._watch.follow(selection.segmentation)
        if selection.segmentation is None:
            self._parking.forget("")
        self._nodes.follow([selection.volume, selection.segmentation])
        try:
            target, problem = self._target_of(selection), ""
        except LightMedSegError as error:
            target, problem = (), str(error)
        if target and _same_scan(target, self._target) and target[1] == self._target[1]:
            return
        self._leave(problem or _hint(selection))
        if target:
            self._target = target
            self._begin()

    def look(self) -> None:
        """Take what the segmentation has told since the last time."""
        news, correction = self._watch.take(), self.correction
        if news is None:
            return
        self._parking.take(news)
        if correction is None:
            return
        if not correction.voxels.exists:
            self._leave("")
            return
        try:
            self._make_ready(correction)
        except LightMedSegError as error:
            self._leave(str(error))
            return
        taken = correction.take(news)
        if taken is None:
            return
        self.on_change(correction.voxels)
        if taken.kind is not Kind.STROKE or self._queue.is_outdated_by(taken.strokes):
            # What is being computed began from voxels that are no longer so; its stroke is still first in the queue.
            self._runner.cancel()
        if taken.kind is Kind.FOLLOW:
            self._queue.clear()
            self._tell("")
        self._queue.add(taken.strokes)
        self._advance()

    def _target_of(self, selection: Selection) -> tuple[Any, ...]:
        """What identifies a correction: another one is begun when any of it changes; () without a segment."""
        node, volume = selection.segmentation, selection.volume
        if node is None or volume is None or not selection.segment_id or not is_labelmap(node):
            return ()
        check_volume_node(volume)
        lattice = Lattice.of(node, volume)
        return (node, selection.segment_id, volume, VolumeState.of(volume), lattice)

    def _begin(self) -> None:
        node, segment_id, _, _, lattice = self._target
        self._parking.keep_to((node, *self._target[2:]))
        parked = self._parking.fetch(segment_id)
        self.correction = parked or SegmentCorrection(SegmentVoxels(node, segment_id, lattice))
        if self._image is not None and self._image[0] == self._target[2:]:
            self._make_ready(self.correction)
        else:
            self._fetch_image(self.correction)

    def _fetch_image(self, correction: SegmentCorrection) -> None:
        """Copy the volume beside the user interface; a stroke that comes earlier has it copied at once."""
        if self._runner.job is None and self._completer is not None:
            _, _, volume, _, lattice = self._target
            deliver, unwanted = self._keep_image(self._target[2:]), self._unwanted(correction)
            self._runner.start(volume_job(volume, lattice, self._completer, deliver, unwanted, self._on_end))

    def _keep_image(self, place: tuple[Any, ...]) -> Callable[[Any], None]:
        def deliver(image: Any) -> None:
            self._image = (place, image)
            if self.correction is not None and self._target[2:] == place:
                self._make_ready(self.correction)

        return deliver

    def _make_ready(self, correction: SegmentCorrection) -> None:
        """Begin the session; the volume is copied at once if the job has not yet brought it."""
        if correction.ready or self._completer is None:
            return
        _, _, volume, _, lattice = self._target
        if self._image is None or self._image[0] != self._target[2:]:
            self._image = (self._target[2:], lattice.image(snapshot(volume)))
        correction.begin(self._image[1], self._completer)

    def _leave(self, text: str) -> None:
        """End the present correction; a stroke that is being completed stays as the user made it."""
        self._runner.cancel()
        self._queue.clear()
        if self.correction is not None:
            self._parking.park(self.correction)
        self.correction, self._target = None, ()
        if self._completer is None:
            self._parking.forget("")
            self._watch.follow(None)
            self._nodes.follow([])
        self._tell(text)

    def _advance(self) -> None:
        """Complete the next stroke."""
        correction = self.correction
        if correction is None or self._runner.job is not None:
            return
        stroke, voxels = self._queue.first(correction.still_marked), correction.voxels
        if stroke is None:
            return
        try:
            masking = Masking.of(editor_node(slicer.mrmlScene), voxels.node, voxels.segment_id, voxels.lattice)
        except LightMedSegError as error:
            self._give_up(str(error))
            return
        self._tell(_("Completing..."))
        self._runner.start(
            completion_job(
                correction.session,
                stroke,
                masking,
                lambda change: self._deliver(correction, stroke, change),
                self._unwanted(correction),
                self._on_end,
            )
        )

    def _deliver(self, correction: SegmentCorrection, stroke: Stroke, change: Change) -> None:
        job = self._runner.job
        if self._watch.waiting:
            self.look()
        if correction is not self.correction or job is None or job.stopping or not correction.voxels.exists:
            return
        done = correction.accept(stroke, change, self._overwritten(correction), self._watch.writing)
        self._parking.take_completion()
        self.on_change(correction.voxels)
        self._queue.drop_first()
        self._tell(" ".join([completion_text(done, correction.session.grid), *self._new_notes()]))

    def _new_notes(self) -> list[str]:
        """What the network noted since the last time, such as that the graphics card ran out of memory."""
        notes = [] if self._completer is None else self._completer.notes[self._told_notes :]
        self._told_notes += len(notes)
        return notes

    def _overwritten(self, correction: SegmentCorrection) -> list[str]:
        voxels = correction.voxels
        return overwritten_segments(editor_node(slicer.mrmlScene), voxels.node, voxels.segment_id)

    def _unwanted(self, correction: SegmentCorrection) -> Callable[[], str]:
        def reason() -> str:
            wanted = correction is self.correction and correction.voxels.exists
            return "" if wanted else _("The segment that was being completed is not there any more.")

        return reason

    def _on_end(self, job: Job) -> None:
        if job.state is JobState.FAILED:
            self._give_up(job.message)
        elif self.correction is not None and not self.correction.ready:
            self._fetch_image(self.correction)
        self._advance()

    def _give_up(self, reason: str) -> None:
        """Leave the strokes as the user made them, and tell why."""
        if self._queue:
            reason = _("Your stroke was not completed. {reason}").format(reason=reason)
        self._queue.clear()
        self._tell(reason)

    def _ask_later(self) -> None:
        self._later.start()

    def _on_gone(self, segment_id: str) -> None:
        if self.correction is not None and segment_id in ("", self.correction.voxels.segment_id):
            self._leave("")
        self._parking.forget(segment_id)

    def _observe_editor(self) -> None:
        editor = editor_node(slicer.mrmlScene)
        if editor is not None:
            for event in (vtk.vtkCommand.ModifiedEvent, editor.ReferenceModifiedEvent, editor.ReferenceRemovedEvent):
                self._observed.append((editor, editor.AddObserver(event, self._on_editor_modified)))
        self.follow_selection()

    def _on_node_added(self, node: Any) -> None:
        if node.IsA("vtkMRMLSegmentEditorNode"):
            self._observe_editor()

    def _on_editor_modified(self, caller: Any, event: Any) -> None:
        self.follow_selection()


def _same_scan(target: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two targets are segments of one node, on the same voxels of the same volume."""
    return bool(other) and target[0] is other[0] and target[2:-1] == other[2:-1] and other[-1].is_still(target[-1])


def _hint(selection: Selection) -> str:
    """What is missing before strokes can be completed; "" if nothing."""
    if selection.segmentation is None:
        return _("Open the Segment Editor and choose a segmentation.")
    if selection.volume is None:
        return _("Choose the volume of the segmentation in the Segment Editor.")
    if not selection.segment_id:
        return _("Choose a segment in the Segment Editor.")
    if not is_labelmap(selection.segmentation):
        return _("Convert the segmentation to a binary labelmap first.")
    return _("Paint, draw or erase in the Segment Editor.")
