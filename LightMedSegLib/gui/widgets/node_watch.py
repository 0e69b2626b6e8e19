"""Notices changes of chosen volumes and regions of interest, a moment after the last of many events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
import vtk

_PAUSE_MILLISECONDS = 200
_EVENTS = (
    vtk.vtkCommand.ModifiedEvent,
    slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
    slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
    slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
)


class NodeWatch:
    """Calls on_change() when a followed node has changed and then stays unchanged for a fifth of a second."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._followed: list[Any] = []
        self._tags: list[tuple[Any, int]] = []
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.interval = _PAUSE_MILLISECONDS
        self._timer.connect("timeout()", on_change)

    def follow(self, nodes: Sequence[Any]) -> None:
        """Follow these nodes instead of the former ones; None among them is skipped, [] follows nothing."""
        wanted = [node for node in nodes if node is not None]
        if wanted == self._followed:
            return
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        self._timer.stop()
        self._followed = wanted
        self._tags = [(node, node.AddObserver(event, self._on_event)) for node in wanted for event in _EVENTS]

    def _on_event(self, caller: Any, event: Any) -> None:
        self._timer.start()
