"""Refuses what only Qt 6 has: official Slicer 5.12 is built with Qt 5.15."""

from __future__ import annotations

import json
from pathlib import Path

_NAMES = json.loads(Path(__file__).with_name("qt6_only.json").read_text())
# Python's binding of Qt 5 spells it exec_; PythonQt reaches both, but only exec_ works in every Slicer.
_SPELLED_OTHERWISE = {"exec"}
# Where Qt 6 has them, or PySide6 adds them, and PythonQt does not know them.
_NOT_IN_PYTHONQT = {
    "QRegExp": "QRegExp is gone from Qt 6; use QRegularExpression, or Python's re.",
    "Signal": "The runtime does not emulate signals declared in Python; use callbacks.",
    "Slot": "PythonQt needs no slot declarations; connect the function itself.",
    "Property": "The runtime does not emulate properties declared in Python.",
    "SIGNAL": "PythonQt takes the signature itself: widget.connect('clicked()', function).",
    "SLOT": "PythonQt takes the signature itself: a.connect('valueChanged(int)', b, 'setValue(int)').",
}


def refusal_of_class(name: str) -> str | None:
    """Why the class must not be used, or None."""
    if name in _NOT_IN_PYTHONQT:
        return str(_NOT_IN_PYTHONQT[name])
    if name in _NAMES["classes"]:
        return f"qt.{name} exists only in Qt 6; Slicer 5.12 is built with Qt 5.15."
    return None


def qt6_only_members(class_name: str) -> set[str]:
    """Names of the class that Qt 5.15 does not have (those of its base classes are listed there)."""
    return set(_NAMES["members"].get(class_name, ())) - _SPELLED_OTHERWISE
