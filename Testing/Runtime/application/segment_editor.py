"""slicer.modules.segmenteditor: a panel whose Python object has the editor widget, as Slicer's own has."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtWidgets

from ..pythonqt.classes import wrap
from ..widgets.emulated import invokable
from ..widgets.segmentations import SegmentEditorWidget
from .modules import ScriptedModule, ScriptedModuleWidget


class SegmentEditorPython:
    """The object that `slicer.util.getModuleWidget("SegmentEditor")` gives."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.parameterSetNode: Any = None
        self.editor = wrap(SegmentEditorWidget(parent._checked()))
        self.entered = 0

    def enter(self) -> None:
        self.entered += 1
        tag = "SegmentEditor"
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(tag)
            node = slicer.mrmlScene.AddNode(node)
        self.parameterSetNode = node
        self.editor.setMRMLSegmentEditorNode(node)

    def exit(self) -> None:
        """Nothing to let go of."""


class SegmentEditorPanel(ScriptedModuleWidget):
    def start(self) -> None:
        self.setMRMLScene(slicer.mrmlScene)
        self._instance = SegmentEditorPython(wrap(self))
        self.layout().addWidget(self._instance.editor._checked())
        slicer.modules.SegmentEditorWidget = self._instance


class SegmentEditorModule(ScriptedModule):
    def __init__(self) -> None:
        super().__init__("SegmentEditor", "")

    @invokable()
    def widgetRepresentation(self) -> QtWidgets.QWidget:
        if self._representation is None:
            self._representation = SegmentEditorPanel("SegmentEditor")
            self._representation.start()
        return self._representation
