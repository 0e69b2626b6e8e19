"""Counts active time and strokes from a result until it is accepted as a case, whichever module is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

import qt
import slicer

from LightMedSegLib.finetuning.cases.effort import Effort
from LightMedSegLib.gui import settings
from LightMedSegLib.gui.effort.active_time import ActiveTime
from LightMedSegLib.mrml.segmentations.kept_effort import forget_effort, is_counted, keep_effort, kept_effort
from LightMedSegLib.mrml.segmentations.result_record import result_key
from LightMedSegLib.mrml.strokes.editor import editor_node
from LightMedSegLib.mrml.strokes.watch import SegmentationWatch

_LOOK_MILLISECONDS = 1000
_EDITOR = "SegmentEditor"
_KEEP_SECONDS = 30.0
"""A saved scene may lack so much of the time: Slicer does not tell in time of every way of saving."""


class EffortCounter:
    """Follows one result. Time counts while the panel is in use, or the Segment Editor has this segmentation.

    in_use: whether the panel is. clock: seconds. signs: what changes while somebody works. A stroke is anything that
    writes a segment, with any effect; Undo, Redo and what the network completes are none.
    """

    def __init__(self, in_use: Callable[[], bool]) -> None:
        self._in_use = in_use
        self.clock: Callable[[], float] = time.monotonic
        self.signs: Callable[[], Hashable] = _signs
        self._node: Any = None
        self._key = ""
        self._time, self._strokes, self._kept = ActiveTime(), 0, 0.0
        self._watch = SegmentationWatch(self._ask_later, lambda segment_id: None)
        self._later = qt.QTimer()
        self._later.setSingleShot(True)
        self._later.interval = 0
        self._later.connect("timeout()", self._take)
        self._timer = qt.QTimer()
        self._timer.interval = _LOOK_MILLISECONDS
        self._timer.connect("timeout()", self.look)

    def follow(self, node: Any) -> None:
        """Count for a segmentation node from now on; not if it is no result, or the user does not want it."""
        wanted = node if node is not None and settings.counts_effort() and is_counted(node) else None
        if wanted is self._node and (wanted is None or result_key(wanted) == self._key):
            return
        self.keep()
        self._begin(wanted)

    def restart(self, node: Any) -> None:
        """Begin again with a node if it is followed: it holds a new result."""
        forget_effort(node)
        if node is self._node:
            self._begin(node if is_counted(node) else None)

    def effort(self) -> Effort | None:
        """What was counted for the followed result; None without one."""
        if self._node is None:
            return None
        self._take()
        return Effort(round(self._time.seconds), self._strokes)

    def keep(self) -> None:
        """Store what was counted in the node, if it still holds the same result."""
        if self._node is not None and self._node.GetScene() is not None and result_key(self._node) == self._key:
            self._kept = self._time.seconds
            keep_effort(self._node, Effort(round(self._kept), self._strokes))

    def look(self) -> None:
        """Count the time since the last look."""
        if self._node is None or self._node.GetScene() is None:
            self.forget()
            return
        self._time.look(self.clock(), (self.signs(), self._strokes), self._present())
        if self._time.seconds - self._kept >= _KEEP_SECONDS:
            self.keep()

    def forget(self) -> None:
        """Release the node without storing anything; called before the scene is closed."""
        self._begin(None)

    def close(self) -> None:
        """Store, and release everything; called before the panel is destroyed."""
        self.keep()
        self.forget()

    def _begin(self, node: Any) -> None:
        self._node, self._key = node, result_key(node) if node is not None else ""
        before = kept_effort(node) if node is not None else Effort(0, 0)
        self._time, self._strokes, self._kept = ActiveTime(before.seconds), before.strokes, float(before.seconds)
        self._watch.follow(node)
        self._watch.take()
        self._later.stop()
        if node is None:
            self._timer.stop()
        else:
            self._timer.start()

    def _ask_later(self) -> None:
        self._later.start()

    def _take(self) -> None:
        news = self._watch.take()
        if news is None or self._node is None:
            return
        if result_key(self._node) != self._key:
            # A new result, not a correction.
            self._begin(self._node if is_counted(self._node) else None)
        elif news.written:
            self._strokes += 1
            self.keep()

    def _present(self) -> bool:
        if qt.QApplication.applicationState() != qt.Qt.ApplicationActive:
            return False
        if self._in_use():
            return True
        editor = editor_node(slicer.mrmlScene)
        return bool(
            slicer.util.mainWindow() is not None
            and slicer.util.selectedModule() == _EDITOR
            and editor is not None
            and editor.GetSegmentationNode() is self._node
        )


def _signs() -> Hashable:
    """The mouse, and what the slice views show."""
    place, scene = qt.QCursor.pos(), slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    return place.x(), place.y(), *(scene.GetNthNodeByClass(n, "vtkMRMLSliceNode").GetMTime() for n in range(count))
