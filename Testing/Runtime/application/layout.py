"""The layout manager: real slice logics and view nodes, no rendering (see rendering.py for pictures)."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtWidgets

from ..widgets.emulated import Emulated, constant, invokable

SLICE_VIEWS = {"Red": ("Axial", "R"), "Yellow": ("Sagittal", "Y"), "Green": ("Coronal", "G")}


class SliceView(Emulated, QtWidgets.QWidget):
    pythonqt_name = "qMRMLSliceView"

    def __init__(self, logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._logic = logic

    @invokable()
    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    @invokable("scheduleRender()")
    def scheduleRender(self) -> None:
        """Nothing is drawn."""

    @invokable("forceRender()")
    def forceRender(self) -> None:
        """Nothing is drawn."""


class SliceWidget(Emulated, QtWidgets.QWidget):
    pythonqt_name = "qMRMLSliceWidget"

    def __init__(self, logic: Any) -> None:
        super().__init__()
        self._logic = logic
        self._view = SliceView(logic, self)

    @invokable()
    def sliceLogic(self) -> Any:
        return self._logic

    @invokable()
    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    @invokable()
    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    @invokable()
    def sliceView(self) -> Any:
        return self._view

    @invokable("fitSliceToBackground()")
    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()


class ThreeDView(Emulated, QtWidgets.QWidget):
    pythonqt_name = "qMRMLThreeDView"

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._node = node
        self.resets = 0

    @invokable()
    def mrmlViewNode(self) -> Any:
        return self._node

    @invokable("resetFocalPoint()")
    def resetFocalPoint(self) -> None:
        self.resets += 1

    @invokable("resetCamera()")
    def resetCamera(self) -> None:
        self.resets += 1

    @invokable()
    def rotateToViewAxis(self, axis: int) -> None:
        """Nothing is drawn."""

    @invokable("scheduleRender()")
    def scheduleRender(self) -> None:
        """Nothing is drawn."""

    @invokable("forceRender()")
    def forceRender(self) -> None:
        """Nothing is drawn."""


class ThreeDWidget(Emulated, QtWidgets.QWidget):
    pythonqt_name = "qMRMLThreeDWidget"

    def __init__(self, node: Any) -> None:
        super().__init__()
        self._view = ThreeDView(node, self)

    @invokable()
    def threeDView(self) -> Any:
        return self._view

    @invokable()
    def mrmlViewNode(self) -> Any:
        return self._view.mrmlViewNode()


class LayoutManager(Emulated, QtCore.QObject):
    """Three slice views and one 3D view."""

    pythonqt_name = "qSlicerLayoutManager"
    emulated_signals = ("layoutChanged(int)",)

    def __init__(self, application_logic: Any, scene: Any) -> None:
        super().__init__()
        self._scene = scene
        self._slice_logics = vtk.vtkCollection()
        self._slices: dict[str, SliceWidget] = {}
        self._layout_node = scene.AddNewNodeByClass("vtkMRMLLayoutNode")
        for name, (orientation, label) in SLICE_VIEWS.items():
            logic = slicer.vtkMRMLSliceLogic()
            logic.SetMRMLApplicationLogic(application_logic)
            logic.SetMRMLScene(scene)
            node = logic.AddSliceNode(name)
            node.SetLayoutLabel(label)
            node.SetOrientation(orientation)
            self._slice_logics.AddItem(logic)
            self._slices[name] = SliceWidget(logic)
        application_logic.SetSliceLogics(self._slice_logics)
        view = slicer.vtkMRMLViewNode()
        view.SetSingletonTag("1")
        view.SetLayoutName("1")
        self._three_d = ThreeDWidget(scene.AddNode(view))

    threeDViewCount = constant(int, 1)
    tableViewCount = constant(int, 0)
    plotViewCount = constant(int, 0)

    def _get_layout(self) -> int:
        return int(self._layout_node.GetViewArrangement())

    @invokable("setLayout(int)")
    def setLayout(self, layout: int) -> None:
        self._layout_node.SetViewArrangement(layout)
        self.emit_signal("layoutChanged(int)", layout)

    layout = QtCore.Property(int, _get_layout, setLayout)

    @invokable()
    def sliceViewNames(self) -> list[str]:
        return list(self._slices)

    @invokable()
    def sliceWidget(self, name: str) -> Any:
        return self._slices.get(name)

    @invokable()
    def threeDWidget(self, index: int) -> Any:
        return self._three_d if index == 0 else None

    @invokable()
    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    @invokable("resetThreeDViews()")
    def resetThreeDViews(self) -> None:
        self._three_d.threeDView().resetFocalPoint()

    @invokable("resetSliceViews()")
    def resetSliceViews(self) -> None:
        for widget in self._slices.values():
            widget.fitSliceToBackground()
