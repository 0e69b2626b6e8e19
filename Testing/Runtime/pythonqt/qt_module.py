"""The modules `qt` and `ctk`, as a scripted Slicer module imports them."""

from __future__ import annotations

import types
from typing import Any

from . import overrides
from .classes import qt_attribute, wrapper_class
from .loader import emulated_widget_classes

__all__ = ["make_ctk", "make_qt", "overrides"]


class _LazyModule(types.ModuleType):
    """A module whose classes are made when they are first asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._find(name)
        setattr(self, name, value)
        return value

    def _find(self, name: str) -> Any:
        return qt_attribute(name)


class _CtkModule(_LazyModule):
    def _find(self, name: str) -> Any:
        kind = emulated_widget_classes().get(name)
        if kind is None or not name.startswith("ctk"):
            raise AttributeError(f"The runtime does not emulate ctk.{name}.")
        return wrapper_class(kind)


def make_qt() -> types.ModuleType:
    return _LazyModule("qt", "PythonQt's qt module, emulated over PySide6.")


def make_ctk() -> types.ModuleType:
    return _CtkModule("ctk", "The ctk widgets that the runtime emulates.")
