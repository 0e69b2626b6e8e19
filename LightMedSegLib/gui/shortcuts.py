"""Keys that work only while the panel has the focus, so that they take nothing from the rest of Slicer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


class Shortcuts:
    """Ctrl+Return (or Enter of the number pad) starts, Esc cancels; alive between enable() and disable()."""

    def __init__(self, parent: Any, start: Callable[[], None], cancel: Callable[[], None]) -> None:
        self.keys: dict[str, Any] = {}
        for key, action in (("Ctrl+Return", start), ("Ctrl+Enter", start), ("Esc", cancel)):
            shortcut = qt.QShortcut(qt.QKeySequence(key), parent)
            shortcut.context = qt.Qt.WidgetWithChildrenShortcut
            shortcut.connect("activated()", action)
            self.keys[key] = shortcut
        self.disable()

    def enable(self) -> None:
        """The panel is shown."""
        for shortcut in self.keys.values():
            shortcut.enabled = True

    def disable(self) -> None:
        """The panel is left."""
        for shortcut in self.keys.values():
            shortcut.enabled = False

    def remove(self) -> None:
        """The panel is thrown away or reloaded."""
        for shortcut in self.keys.values():
            shortcut.enabled = False
            shortcut.deleteLater()
        self.keys.clear()
