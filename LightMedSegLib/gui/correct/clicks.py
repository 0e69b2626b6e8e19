"""New structure from clicks: two point lists in place mode, and a segment that follows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.gui.correct.texts import volume_text
from LightMedSegLib.gui.segment.runner import Runner
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.strokes.click_points import ClickPoints, Point
from LightMedSegLib.mrml.strokes.completion_jobs import points_job, volume_job
from LightMedSegLib.mrml.strokes.editor import editor_node
from LightMedSegLib.mrml.strokes.masking import Masking, overwritten_segments
from LightMedSegLib.mrml.strokes.new_structure import NewStructure, PointsSession
from LightMedSegLib.mrml.volumes import VolumeState, check_volume_node

if TYPE_CHECKING:
    from LightMedSegLib.interaction.completion import Promptable

_END_SECONDS = 0.3


class Clicks:
    """The structure that is being made, if any. tell(text): called with each new status, one sentence or ""."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.structure: NewStructure | None = None
        self.including = True
        self._tell = tell
        self._resting = False
        self._runner = Runner()
        self.points: ClickPoints | None = None
        self._session: PointsSession | None = None
        self._completer: Promptable | None = None
        # Of the network's notes, how many were shown before the last points, and how many are by now.
        self._old_notes = self._shown_notes = 0
        self._volume: tuple[Any, VolumeState] | None = None
        self._shown: tuple[Point, ...] = ()
        self._asked: tuple[Point, ...] = ()

    @property
    def active(self) -> bool:
        """Whether a structure is being made."""
        return self.structure is not None

    @property
    def busy(self) -> bool:
        """Whether the segment does not yet follow from the points."""
        return self._runner.job is not None

    def start(self, node: Any, volume: Any, name: str, completer: Promptable) -> None:
        """Add a segment to a segmentation node, and take points from now on.

        Raises LightMedSegError for nodes that cannot be used.
        """
        self.discard()
        check_volume_node(volume)
        # One step of the Segment Editor's Undo: otherwise an Undo of something older would remove the segment.
        _save_state_for_undo(node)
        self.structure = NewStructure(node, volume, name)
        self._completer, self._volume = completer, (volume, VolumeState.of(volume))
        self._old_notes = self._shown_notes = 0
        self._shown = self._asked = ()
        self.points = ClickPoints(node.GetScene(), _("Include"), _("Exclude"), self._on_points)
        self.place(True)
        self._fetch_image(self.structure)

    def place(self, include: bool) -> None:
        """The next clicks are points inside the structure, or points that do not belong to it."""
        self.including, self._resting = include, False
        if self.points is not None:
            self.points.place(include)
        self._say()

    def rest(self) -> None:
        """Give clicks their usual meaning; called when the panel is left."""
        if self.points is not None:
            self._resting = True
            self.points.stop_placing()

    def resume(self) -> None:
        """Take points again after rest()."""
        if self._resting:
            self.place(self.including)

    def accept(self) -> None:
        """Keep the segment; nothing happens while the last points are being computed."""
        structure, session = self.structure, self._session
        if structure is None or session is None or self.busy or not structure.voxel_count:
            return
        node, segment_id = structure.voxels.node, structure.voxels.segment_id
        if structure.voxels.exists:
            structure.accept(overwritten_segments(editor_node(slicer.mrmlScene), node, segment_id), session.state())
        text = volume_text(structure.voxel_count, structure.lattice.grid)
        self._end()
        self._tell(_("The new segment has {size}.").format(size=text))

    def discard(self) -> None:
        """Remove the segment and the points."""
        if self.structure is None:
            return
        self.structure.discard()
        self._end()
        self._tell("")

    def forget(self) -> None:
        """Release the nodes; called before the scene is closed."""
        if self.points is not None:
            self.points.forget()
        self.points = None
        self._end()

    def close(self) -> None:
        """Discard, and end the thread; called before the panel is destroyed."""
        self.discard()
        self._runner.close(_END_SECONDS)

    def _end(self) -> None:
        self._runner.cancel()
        if self.points is not None:
            self.points.stop_placing()
            self.points.remove()
        self._resting = False
        self.structure = self.points = self._session = self._completer = self._volume = None

    def _on_points(self) -> None:
        if self.points is None or self._session is None:
            return
        # A point that is set while others are being computed is computed after them; a moved one makes them worthless.
        points = self.points.points()
        if self._runner.job is not None:
            if points[: len(self._asked)] != self._asked:
                self._runner.cancel()
            return
        structure = self.structure
        if structure is None or points == self._shown:
            return
        voxels = structure.voxels
        try:
            masking = Masking.of(editor_node(slicer.mrmlScene), voxels.node, voxels.segment_id, voxels.lattice)
        except LightMedSegError as error:
            # The same points would fail again.
            self._shown = points
            self._tell(str(error))
            return
        self._asked, self._old_notes = points, self._shown_notes
        self._start(points_job(self._session, points, masking, self._on_mask, self._unwanted, self._on_end))

    def _fetch_image(self, structure: NewStructure) -> None:
        assert self._volume is not None and self._completer is not None
        volume, _state = self._volume
        on_image, on_end = self._on_image, self._on_end
        self._start(volume_job(volume, structure.lattice, self._completer, on_image, self._unwanted, on_end))

    def _start(self, job: Job) -> None:
        if self._runner.job is not None:
            # A run that was stopped has not ended yet; its end asks for the points again.
            return
        self._runner.start(job)
        self._say()

    def _on_image(self, image: Any) -> None:
        if self._completer is not None:
            self._session = PointsSession(image, self._completer)

    def _on_mask(self, mask: Any) -> None:
        if self.structure is not None and self.structure.voxels.exists:
            self.structure.show(mask)
            self._shown = self._asked

    def _unwanted(self) -> str:
        if self.structure is None or not self.structure.voxels.exists:
            return _("The segment is not there any more.")
        assert self._volume is not None
        volume, state = self._volume
        if volume.GetScene() is None or volume.GetImageData() is None or VolumeState.of(volume) != state:
            return _("The volume was changed or removed.")
        return ""

    def _on_end(self, job: Job) -> None:
        if self.structure is None:
            return
        if job.state in (JobState.FAILED, JobState.DROPPED):
            failed = job.message
            if job.state is JobState.DROPPED or self._session is None:
                self.discard()
            else:
                # The same points would fail again.
                self._shown = self._asked
            self._tell(failed)
            return
        if self._session is None:
            self._fetch_image(self.structure)
        self._on_points()
        self._say()

    def _say(self) -> None:
        if self.structure is None:
            return
        if self.busy and self._asked:
            self._tell(_("Computing..."))
        elif self.structure.voxel_count:
            size = volume_text(self.structure.voxel_count, self.structure.lattice.grid)
            text = _("{size}. Click more points, Enter accepts, Esc discards.").format(size=size)
            notes = self._completer.notes if self._completer is not None else []
            self._shown_notes = len(notes)
            self._tell(" ".join([text, *notes[self._old_notes :]]))
        elif self.including:
            self._tell(_("Click into the structure in a slice view."))
        else:
            self._tell(_("Click where the structure should not be."))


def _save_state_for_undo(node: Any) -> None:
    """Make what follows a step of its own for the Segment Editor's Undo, if it edits this segmentation node."""
    editor = editor_node(slicer.mrmlScene)
    # Without an editor node the module was never opened, and asking for its panel would make one.
    if editor is None or editor.GetSegmentationNode() is not node:
        return
    widget = slicer.util.getModuleWidget("SegmentEditor").editor
    if widget.segmentationNode() is node:
        widget.saveStateForUndo()
