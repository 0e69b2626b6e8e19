"""Writes qt6_only.json: the names that Qt 6 has and Qt 5.15 has not, so that the runtime can refuse them.

Run it twice in the interpreter that has PySide2 5.15 (`dump PySide2 a.json`) and in the one that has PySide6
(`dump PySide6 b.json`), then `diff a.json b.json qt6_only.json`.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path


def dump(package: str) -> dict[str, dict[str, list[str]]]:
    """{class: {"bases": [...], "names": [...]}} of QtCore, QtGui and QtWidgets."""
    classes: dict[str, dict[str, list[str]]] = {}
    for module_name in ("QtCore", "QtGui", "QtWidgets"):
        module = import_module(f"{package}.{module_name}")
        for name in dir(module):
            candidate = getattr(module, name)
            if name.startswith("Q") and isinstance(candidate, type) and "." not in name:
                classes[name] = {
                    "bases": [base.__name__ for base in candidate.__mro__[1:]],
                    "names": sorted(member for member in dir(candidate) if not member.startswith("_")),
                }
    return classes


def difference(qt5: dict[str, dict[str, list[str]]], qt6: dict[str, dict[str, list[str]]]) -> dict[str, object]:
    """Classes that only Qt 6 has, and for the others the names first introduced in that class."""
    members: dict[str, list[str]] = {}
    for name in sorted(set(qt5) & set(qt6)):
        new = set(qt6[name]["names"]) - set(qt5[name]["names"])
        for base in qt6[name]["bases"]:
            if base in qt5 and base in qt6:
                new -= set(qt6[base]["names"]) - set(qt5[base]["names"])
        if new:
            members[name] = sorted(new)
    return {"classes": sorted(set(qt6) - set(qt5)), "members": members}


if __name__ == "__main__":
    if sys.argv[1] == "dump":
        Path(sys.argv[3]).write_text(json.dumps(dump(sys.argv[2])))
    else:
        first, second = (json.loads(Path(argument).read_text()) for argument in sys.argv[2:4])
        Path(sys.argv[4]).write_text(json.dumps(difference(first, second), indent=0) + "\n")
