"""The button that shows a segmentation in 3D. Surfaces appear one by one, and Slicer stays responsive."""

from __future__ import annotations

import logging
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LightMedSegLib.gui.segment.runner import Runner
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.segmentations.shared_labelmap import is_labelmap
from LightMedSegLib.mrml.surfaces.surfaces import (
    MAKE_EVENT,
    has_surfaces,
    is_shown_in_3d,
    remove_surfaces,
    show_in_3d,
    surface_job,
)

_MESSAGE_MILLISECONDS = 8000

_END_SECONDS = 0.3
"""How long closing Slicer waits for the surface that is being made: a VTK filter cannot be interrupted."""


class SurfacesButton:
    """A checkable button: checked, it makes the surfaces of a segmentation node; unchecked, it removes them.

    Of a segmentation that is not made of labelmaps, such as an imported surface, it only shows or hides what there is.
    """

    def __init__(self, button: Any) -> None:
        self._button = button
        self._node: Any = None
        self._tags: list[tuple[Any, int]] = []
        self._wanted: Any = None
        self._hidden = ""
        self._runner = Runner()
        self._runner.on_tick = lambda job: self._show()
        # A new result sends an event for every segment.
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.interval = 0
        self._later.connect("timeout()", self._show)
        button.checkable = True
        button.connect("clicked(bool)", self._on_clicked)
        self._show()

    @property
    def busy(self) -> bool:
        """Whether surfaces are being made."""
        return self._wanted is not None

    def follow(self, node: Any) -> None:
        """Connect the button to a segmentation node; None disconnects it."""
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._node, self._hidden = node, ""
        self._tags = []
        if node is not None:
            kind, segmentation = slicer.vtkSegmentation, node.GetSegmentation()
            events = (
                kind.ContainedRepresentationNamesModified,
                kind.SourceRepresentationModified,
                kind.SegmentAdded,
                kind.SegmentRemoved,
            )
            self._tags = [(segmentation, segmentation.AddObserver(event, self._on_event)) for event in events]
            self._tags.append((node, node.AddObserver(node.DisplayModifiedEvent, self._on_event)))
            self._tags.append((node, node.AddObserver(MAKE_EVENT, lambda caller, event: self.make(node))))
        self._show()

    def make(self, node: Any) -> None:
        """Start making the surfaces of a node; surfaces that are being made for another node are cancelled."""
        self._wanted = node
        if self._runner.job is None:
            self._start()
        else:
            self._runner.cancel()
        self._show()

    def drop(self) -> None:
        """Cancel and release the nodes; called before the scene is closed."""
        self.follow(None)
        self._wanted = None
        self._runner.cancel()

    def close(self) -> None:
        """Cancel and end the thread; called before the panel is destroyed."""
        self.drop()
        self._later.stop()
        self._runner.close(_END_SECONDS)

    def _on_clicked(self, checked: bool) -> None:
        if self._node is None:
            return
        if not is_labelmap(self._node):
            show_in_3d(self._node, checked)
            self._show()
            return
        if checked:
            if self._node.GetDisplayNode() is not None:
                # A later result hides the whole earlier one.
                self._node.GetDisplayNode().SetVisibility(True)
            self.make(self._node)
            return
        if self._wanted is self._node:
            self._wanted = None
            self._runner.cancel()
        remove_surfaces(self._node)
        self._show()

    def _start(self) -> None:
        node = self._wanted
        self._runner.start(surface_job(node, lambda job: self._on_end(job, node)))

    def _on_end(self, job: Job, node: Any) -> None:
        if job.state is JobState.FAILED:
            logging.error("LightMedSeg: the surfaces could not be made: %s", job.message)
            slicer.util.showStatusMessage(_("The surfaces could not be made."), _MESSAGE_MILLISECONDS)
        if self._wanted is node and job.state in (JobState.DONE, JobState.FAILED):
            self._wanted = None
            self._tell_hidden(job.outcome or [])
        elif node.GetScene() is not None and self._wanted is not node:
            remove_surfaces(node)
        if self._wanted is not None and self._wanted.GetScene() is not None and is_labelmap(self._wanted):
            # Another node was requested, or the segments changed meanwhile.
            self._start()
        else:
            self._wanted = None
        self._show()

    def _tell_hidden(self, names: list[str]) -> None:
        if not names:
            return
        self._hidden = _("Hidden at first, because they lie around the others: {names}.").format(names=", ".join(names))
        slicer.util.showStatusMessage(self._hidden, _MESSAGE_MILLISECONDS)

    def _on_event(self, caller: Any, event: Any) -> None:
        self._later.start()

    def _show(self) -> None:
        button, node = self._button, self._node
        making = node is not None and self._wanted is node
        button.enabled = node is not None and node.GetSegmentation().GetNumberOfSegments() > 0
        button.checked = making or (node is not None and _has_shown(node))
        job = self._runner.job
        if making and job is not None:
            done, total = job.progress.done, node.GetSegmentation().GetNumberOfSegments()
            button.text = _("3D: {done} of {total}, click to stop").format(done=done, total=total)
            button.toolTip = _("The surfaces are being made; you can keep working.")
            return
        button.text = _("Show 3D")
        button.toolTip = self._hidden or _("Show the segments as surfaces in the 3D view, or remove the surfaces.")


def _has_shown(node: Any) -> bool:
    """Whether there are surfaces; of those that are the source, whether they are shown."""
    return has_surfaces(node) if is_labelmap(node) else is_shown_in_3d(node)
