"""Keys, typed while a widget of the main window has the focus."""

from __future__ import annotations

from typing import Any


def press(widget: Any, key: str) -> None:
    """Type "Return", "Ctrl+Return" or "Esc" while a widget (PySide6's own) of an active window has the focus."""
    from PySide6 import QtCore, QtTest

    widget.window().activateWindow()
    # Where an earlier test has left a window open, this one is active only after some events.
    assert QtTest.QTest.qWaitForWindowActive(widget.window())
    widget.setFocus()
    code = QtCore.Qt.Key.Key_Escape if key == "Esc" else QtCore.Qt.Key.Key_Return
    held = QtCore.Qt.KeyboardModifier.ControlModifier if key.startswith("Ctrl") else QtCore.Qt.KeyboardModifier(0)
    QtTest.QTest.keyClick(widget, code, held)
