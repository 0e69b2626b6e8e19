"""Keys, typed while a widget of the main window has the focus."""

from __future__ import annotations

from typing import Any


def press(widget: Any, key: str) -> None:
    """Type "Return", "Esc" or "F3", also with "Ctrl+" or "Shift+", while a widget (PySide6's own) has the focus."""
    from PySide6 import QtCore, QtTest

    widget.window().activateWindow()
    # Where an earlier test has left a window open, this one is active only after some events.
    assert QtTest.QTest.qWaitForWindowActive(widget.window())
    widget.setFocus()
    keys, held = QtCore.Qt.Key, QtCore.Qt.KeyboardModifier
    code = {"Esc": keys.Key_Escape, "F3": keys.Key_F3, "Return": keys.Key_Return}[key.rpartition("+")[2]]
    modifiers = {"Ctrl": held.ControlModifier, "Shift": held.ShiftModifier, "": held(0)}[key.rpartition("+")[0]]
    QtTest.QTest.keyClick(widget, code, modifiers)
    # The application takes the modifiers of the last key event for held, and then a selection of rows starts otherwise.
    QtTest.QTest.keyRelease(widget, keys.Key_Shift, held(0))
