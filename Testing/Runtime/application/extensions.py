"""slicer.app.extensionsManagerModel(): a manager whose server offers what the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from ..widgets.emulated import Emulated, invokable, stored


class ExtensionsManagerModel(Emulated, QtCore.QObject):
    """Nothing is downloaded; `offer(name, ...)` makes an extension installable."""

    pythonqt_name = "qSlicerExtensionsManagerModel"
    emulated_signals = ("extensionInstalled(QString)",)

    def __init__(self) -> None:
        super().__init__()
        self._values: dict[str, Any] = {"interactive": True}
        self._installed: list[str] = []
        self._offered: dict[str, Callable[[], None]] = {}
        self.requests: list[tuple[str, bool]] = []

    interactive = stored(bool, "interactive")
    installedExtensions = QtCore.Property("QStringList", lambda self: list(self._installed))

    def offer(self, name: str, when_installed: Callable[[], None] = lambda: None) -> None:
        """For tests: the server has this extension, and installing it does this."""
        self._offered[name] = when_installed

    def reset(self) -> None:
        """For tests: nothing installed, nothing offered, nothing requested."""
        self._installed.clear()
        self._offered.clear()
        self.requests.clear()
        self._values["interactive"] = True

    @invokable()
    def isExtensionInstalled(self, name: str) -> bool:
        return name in self._installed

    @invokable()
    def isExtensionEnabled(self, name: str) -> bool:
        return name in self._installed

    @invokable()
    def updateExtensionsMetadataFromServer(self, force: bool = False, wait: bool = False) -> bool:
        return True

    @invokable("installExtensionFromServer(QString,bool)", "installExtensionFromServer(QString)")
    def installExtensionFromServer(self, name: str, restart: bool = True) -> bool:
        """True if the extension is there afterwards; a restart is recorded, and does not happen."""
        self.requests.append((name, restart))
        if name not in self._offered:
            return False
        self._installed.append(name)
        self._offered[name]()
        self.emit_signal("extensionInstalled(QString)", name)
        return True

    @invokable("downloadAndInstallExtensionByName(QString)")
    def downloadAndInstallExtensionByName(self, name: str) -> bool:
        return self.installExtensionFromServer(name, False)
