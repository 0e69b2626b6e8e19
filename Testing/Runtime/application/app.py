"""slicer.app: a QApplication with the parts of qSlicerApplication that a scripted module uses."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets

from ..pythonqt.loader import widget_class
from ..widgets.emulated import Emulated, constant, invokable
from .extensions import ExtensionsManagerModel
from .files import CoreIOManager
from .layout import LayoutManager


class ModuleFactoryManager(Emulated, QtCore.QObject):
    pythonqt_name = "qSlicerModuleFactoryManager"

    @invokable()
    def loadedModuleNames(self) -> list[str]:
        return list(slicer.modules.names())


class ModuleManager(Emulated, QtCore.QObject):
    pythonqt_name = "qSlicerModuleManager"
    emulated_signals = ("moduleAboutToBeUnloaded(QString)", "moduleLoaded(QString)")

    def __init__(self) -> None:
        super().__init__()
        self._factory_manager = ModuleFactoryManager()

    @invokable()
    def module(self, name: str) -> Any:
        found = slicer.modules.by_name(name)
        return found._checked() if found is not None else None

    @invokable()
    def factoryManager(self) -> Any:
        return self._factory_manager


class CommandOptions(Emulated, QtCore.QObject):
    pythonqt_name = "qSlicerCommandOptions"

    def __init__(self) -> None:
        super().__init__()
        self.testing = False

    testingEnabled = QtCore.Property(bool, lambda self: self.testing)
    noMainWindow = constant(bool, False)


class Application(Emulated, QtWidgets.QApplication):
    """`slicer.app`. Restart and exit are recorded in `requested`, and do not happen."""

    pythonqt_name = "qSlicerApplication"
    emulated_signals = ("startupCompleted()", "renderPaused(bool)")

    def __init__(self, home: Path) -> None:
        super().__init__(["LightMedSegRuntime"])
        self.setApplicationName("Slicer")
        self.setOrganizationName("LightMedSegRuntime")
        self.setApplicationVersion("5.12.4")
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, str(home / "settings"))
        self._home = home
        self._temporary = tempfile.mkdtemp(prefix="tmp", dir=home)
        self._render_pauses = 0
        self._startup_done = False
        self.requested: list[str] = []
        self.translations: dict[tuple[str, str], str] = {}
        self._options = CommandOptions()
        self._module_manager = ModuleManager()
        self._extensions = ExtensionsManagerModel()

    def bind(self, application_logic: Any, scene: Any, logics: dict[str, Any]) -> None:
        """Second part of the construction, when the scene and the logics exist."""
        self._application_logic, self._scene = application_logic, scene
        self._layout_manager = LayoutManager(application_logic, scene)
        self._files = CoreIOManager(scene, logics)

    majorVersion = constant(int, 5)
    minorVersion = constant(int, 12)
    revision = constant(str, "34000")
    repositoryRevision = constant(str, "0000000")
    platform = constant(str, "linux-amd64")
    arch = constant(str, "amd64")
    os = constant(str, "linux")
    documentationBaseUrl = constant(str, "https://slicer.readthedocs.io/en/5.12/")
    slicerHome = QtCore.Property(str, lambda self: str(self._home))
    temporaryPath = QtCore.Property(str, lambda self: self._temporary)
    extensionsInstallPath = QtCore.Property(str, lambda self: str(self._home / "Extensions"))
    slicerUserSettingsFilePath = QtCore.Property(str, lambda self: QtCore.QSettings().fileName())

    def complete_startup(self) -> None:
        """For tests: what Slicer signals when it has loaded all modules."""
        self._startup_done = True
        self.emit_signal("startupCompleted()")

    @invokable()
    def applicationLogic(self) -> Any:
        return self._application_logic

    @invokable()
    def mrmlScene(self) -> Any:
        return self._scene

    @invokable()
    def layoutManager(self) -> Any:
        return self._layout_manager

    @invokable()
    def coreIOManager(self) -> Any:
        return self._files

    @invokable()
    def moduleManager(self) -> Any:
        return self._module_manager

    @invokable()
    def extensionsManagerModel(self) -> Any:
        return self._extensions

    @invokable()
    def commandOptions(self) -> Any:
        return self._options

    @invokable()
    def testingEnabled(self) -> bool:
        return self._options.testing

    @invokable()
    def pythonConsole(self) -> None:
        """There is none, as in a Slicer that was started with --no-main-window."""

    @invokable()
    def userSettings(self) -> Any:
        return self.settings()

    @invokable()
    def revisionUserSettings(self) -> Any:
        return QtCore.QSettings()

    @invokable()
    def settings(self) -> Any:
        kind = widget_class("ctkSettings")
        assert kind is not None
        return kind()

    @invokable()
    def startupEnvironment(self) -> Any:
        environment = QtCore.QProcessEnvironment()
        for name, value in os.environ.items():
            environment.insert(name, value)
        return environment

    @invokable("restart()")
    def restart(self) -> None:
        self.requested.append("restart")

    @invokable("confirmRestart(QString)")
    def confirmRestart(self, reason: str = "") -> bool:
        self.requested.append(f"confirm restart: {reason}")
        return False

    @invokable()
    def exit(self, code: int = 0) -> None:
        self.requested.append(f"exit {code}")

    @invokable("pauseRender()")
    def pauseRender(self) -> None:
        self._render_pauses += 1

    @invokable("resumeRender()")
    def resumeRender(self) -> None:
        if self._render_pauses == 0:
            raise ValueError("resumeRender() was called more often than pauseRender().")
        self._render_pauses -= 1

    @invokable()
    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/5.12/user_guide/modules/{name.lower()}.html"

    @invokable()
    def translate(self, context: str, text: str) -> str:
        """The text itself, unless the test put a translation into `translations`."""
        if not isinstance(text, str):
            raise TypeError(f"Only text can be translated, not {text!r}.")
        return self.translations.get((context, text), text)

    @invokable()
    def processEvents(self, *flags: Any) -> None:
        # The arguments have been converted on the way here.
        QtWidgets.QApplication.processEvents(*(QtCore.QEventLoop.ProcessEventsFlag(flag) for flag in flags))
