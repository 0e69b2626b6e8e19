"""Two point lists in the scene: points inside a structure, and points that do not belong to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer

from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.interaction.strokes import Stroke

Point = tuple[bool, tuple[float, float, float]]
"""Whether a point is inside the structure, and its place in the world (RAS, mm)."""

_RAS = np.array((-1.0, -1.0, 1.0))  # from LPS
_COLORS = {True: (0.2, 0.9, 0.3), False: (0.95, 0.3, 0.2)}
_EVENTS = ("PointPositionDefinedEvent", "PointEndInteractionEvent", "PointRemovedEvent")


class ClickPoints:
    """The lists, and the order in which their points were set. on_change(): a point was set, moved or removed.

    name_include, name_exclude: the names of the lists. The lists are not saved with the scene.
    """

    def __init__(self, scene: Any, name_include: str, name_exclude: str, on_change: Callable[[], None]) -> None:
        self.lists = {include: _new_list(scene, name, include) for include, name in
                      ((True, name_include), (False, name_exclude))}  # fmt: skip
        self._order: list[tuple[bool, str]] = []
        self._tags = [
            (node, node.AddObserver(getattr(node, event), lambda caller, event: on_change()))
            for node in self.lists.values()
            for event in _EVENTS
        ]

    def points(self) -> tuple[Point, ...]:
        """All points, in the order in which they were set."""
        found: dict[tuple[bool, str], Point] = {}
        for include, node in self.lists.items():
            for index in range(node.GetNumberOfControlPoints()):
                if node.GetNthControlPointPositionStatus(index) != node.PositionDefined:
                    continue
                place = [0.0, 0.0, 0.0]
                node.GetNthControlPointPositionWorld(index, place)
                found[include, node.GetNthControlPointID(index)] = (include, (place[0], place[1], place[2]))
        self._order = [key for key in self._order if key in found]
        self._order += [key for key in found if key not in self._order]
        return tuple(found[key] for key in self._order)

    def place(self, include: bool) -> None:
        """The next clicks into the views set points of one of the lists, until stop_placing."""
        application = slicer.app.applicationLogic()
        selection = application.GetSelectionNode()
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
        selection.SetActivePlaceNodeID(self.lists[include].GetID())
        application.GetInteractionNode().SwitchToPersistentPlaceMode()

    def stop_placing(self) -> None:
        """Clicks into the views have their usual meaning again."""
        slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()

    def remove(self) -> None:
        """Remove the lists from the scene."""
        self.forget()
        for node in self.lists.values():
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)

    def forget(self) -> None:
        """Release the lists; called before the scene is closed."""
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        self._tags = []


def point_stroke(point: Point, grid: Grid) -> Stroke:
    """The voxel of a point as a stroke. Raises InputImageError for a point outside the grid."""
    include, place = point
    axes = np.reshape(grid.direction, (3, 3)) * np.array(grid.spacing)
    index = np.linalg.solve(axes, np.array(place) * _RAS - np.array(grid.origin))
    return Stroke.ball(include, index.tolist(), 0.0, grid)


def _new_list(scene: Any, name: str, include: bool) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
    node.SetSaveWithScene(False)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetSelectedColor(*_COLORS[include])
    display.SetPointLabelsVisibility(False)
    return node
