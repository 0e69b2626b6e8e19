"""Keyboard shortcuts that work while the module is open, without taking keys from the rest of Slicer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer

_START, _CANCEL, _ACCEPT = ("Ctrl+Return", "Ctrl+Enter"), ("Esc",), ("Return", "Enter")
_PLACES = ("F3", "Shift+F3", "Ctrl+F3")
_FOCUS_CHANGED = "focusChanged(QWidget*,QWidget*)"
_EDITORS = ("QLineEdit", "QAbstractSpinBox", "QTextEdit", "QPlainTextEdit")


class Shortcuts:
    """Ctrl+Return (or Enter of the number pad) starts a run, Esc cancels it; active between enable() and disable().

    They belong to the main window, so they also work after a click into a slice view. A text that is being edited
    keeps its keys, and without a run Esc keeps its usual meaning. While a structure is made from clicks, Return (or
    Enter) accepts it, and Esc discards it. Where there are doubtful places, F3 goes to the next, Shift+F3 to the one
    before, and Ctrl+F3 ticks the present one.
    """

    def __init__(
        self,
        parent: Any,
        start: Callable[[], None],
        cancel: Callable[[], object],
        accept: Callable[[], None],
        places: Sequence[Callable[[], None]],
    ) -> None:
        """places: what the keys for doubtful places do, in the order of their names."""
        self.keys: dict[str, Any] = {}
        self._shown = self._running = self._deciding = self._doubtful = False
        # Without a main window (in a script's own window), the panel's window takes its place.
        window = slicer.util.mainWindow() or parent
        walk = [((key,), action) for key, action in zip(_PLACES, places, strict=True)]
        for keys, action in ((_START, start), (_CANCEL, cancel), (_ACCEPT, accept), *walk):
            for key in keys:
                shortcut = qt.QShortcut(qt.QKeySequence(key), window)
                shortcut.context = qt.Qt.WindowShortcut
                shortcut.connect("activated()", action)
                self.keys[key] = shortcut
        slicer.app.connect(_FOCUS_CHANGED, self._apply)
        self._apply()

    def enable(self) -> None:
        """Activate the shortcuts; called when the panel is shown."""
        self._shown = True
        self._apply()

    def disable(self) -> None:
        """Deactivate the shortcuts; called when the panel is left."""
        self._shown = False
        self._apply()

    def set_running(self, running: bool) -> None:
        """Activate Esc while a run can be cancelled."""
        self._running = running
        self._apply()

    def set_deciding(self, deciding: bool) -> None:
        """Activate Return and Esc while a structure waits for them."""
        self._deciding = deciding
        self._apply()

    def set_places(self, some: bool) -> None:
        """Activate the keys for doubtful places while there are some."""
        self._doubtful = some
        self._apply()

    def remove(self) -> None:
        """Remove the shortcuts; called before the panel is destroyed or reloaded."""
        self.disable()
        slicer.app.disconnect(_FOCUS_CHANGED, self._apply)
        for shortcut in self.keys.values():
            shortcut.deleteLater()
        self.keys.clear()

    def _apply(self) -> None:
        if not self.keys:
            return
        wanted = self._shown and not _is_edited(qt.QApplication.focusWidget())
        active = {*_START, *(_CANCEL if self._running or self._deciding else ()), *(_ACCEPT if self._deciding else ())}
        active |= set(_PLACES if self._doubtful else ())
        for key, shortcut in self.keys.items():
            shortcut.enabled = wanted and key in active


def _is_edited(widget: Any) -> bool:
    """Whether a widget takes text."""
    if widget is None:
        return False
    if any(widget.inherits(name) for name in _EDITORS):
        return not widget.property("readOnly")
    return bool(widget.inherits("QComboBox") and widget.property("editable"))
