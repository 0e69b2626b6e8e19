"""qMRMLWidget and the base of the widgets that show one node."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtWidgets

from ..pythonqt.loader import register_widget_class
from .emulated import Emulated, NodeObserver, invokable


@register_widget_class
class MRMLWidget(Emulated, QtWidgets.QWidget):
    """A widget that has a scene; `mrmlSceneChanged` hands it to the widgets inside."""

    pythonqt_name = "qMRMLWidget"
    emulated_signals = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._observer = NodeObserver()
        self.destroyed.connect(self._observer.stop)

    @invokable("setMRMLScene(vtkMRMLScene*)")
    def setMRMLScene(self, scene: Any) -> None:
        require(scene, "vtkMRMLScene")
        if scene is not self._scene:
            self._scene = scene
            self.scene_changed()
            self.emit_signal("mrmlSceneChanged(vtkMRMLScene*)", scene)

    @invokable()
    def mrmlScene(self) -> Any:
        return self._scene

    def scene_changed(self) -> None:
        """For derived widgets: the scene is another one."""


def require(value: Any, class_name: str) -> None:
    """Raise what PythonQt's slots raise, unless the value is None or a VTK object of the class."""
    if value is None:
        return
    if isinstance(value, QtCore.QObject):
        raise ValueError(f"Could not find matching overload for given arguments:\n({value!r},)")
    if not hasattr(value, "IsA"):
        raise TypeError("method requires a VTK object")
    if not value.IsA(class_name):
        raise TypeError(f"method requires a {class_name}, a {value.GetClassName()} was provided.")
