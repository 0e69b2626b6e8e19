"""The main window and its module selector, as far as slicer.util and scripted modules use them."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from ..widgets.emulated import Emulated, invokable


class ModuleSelector(Emulated, QtWidgets.QToolBar):
    """Selecting a module leaves the panel of the one before and enters the new one's."""

    pythonqt_name = "qSlicerModuleSelectorToolBar"
    emulated_signals = ("moduleSelected(QString)",)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._selected = ""

    selectedModule = QtCore.Property(str, lambda self: self._selected)

    @invokable("selectModule(QString)")
    def selectModule(self, name: str) -> None:
        module = slicer.modules.by_name(name)
        if module is None:
            raise ValueError(f"There is no module '{name}' to select.")
        self.leave()
        self._selected = module.name
        if hasattr(module, "widgetRepresentation"):
            panel = module.widgetRepresentation()
            window = self.window()
            if isinstance(window, MainWindow):
                window.show_panel(panel._checked())
            panel._checked().enter()
        self.emit_signal("moduleSelected(QString)", name)

    def leave(self) -> None:
        """For tests: leave the selected module, as when another is selected."""
        module = slicer.modules.by_name(self._selected) if self._selected else None
        if module is not None and hasattr(module, "widgetRepresentation"):
            module.widgetRepresentation()._checked().exit()
        self._selected = ""


class MainWindow(Emulated, QtWidgets.QMainWindow):
    """Found by slicer.util.mainWindow() through its object name."""

    pythonqt_name = "qSlicerAppMainWindow"
    emulated_signals = ("initialWindowShown()",)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector(self)
        self.addToolBar(self._selector)
        self._area = QtWidgets.QScrollArea(self)
        self._area.setWidgetResizable(True)
        self.setCentralWidget(self._area)

    def show_panel(self, panel: Any) -> None:
        previous = self._area.takeWidget()
        if previous is not None and previous is not panel:
            previous.setParent(None)
        self._area.setWidget(panel)
        panel.show()

    def release_panel(self) -> None:
        """For tests: the panel no longer belongs to the window."""
        panel = self._area.takeWidget()
        if panel is not None:
            panel.setParent(None)

    @invokable()
    def moduleSelector(self) -> Any:
        return self._selector
