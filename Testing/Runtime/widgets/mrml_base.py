"""qMRMLWidget and the base of the widgets that show one node."""

from __future__ import annotations

from typing import Any

from PySide6 import QtWidgets

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
    """Raise ValueError unless the value is None or a VTK object of the class, as PythonQt's slots do."""
    if value is not None and not (hasattr(value, "IsA") and value.IsA(class_name)):
        raise ValueError(f"Expected a {class_name}, got {value!r}.")
