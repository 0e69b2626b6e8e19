"""The modules `qt` and `ctk`, as a scripted Slicer module imports them."""

from __future__ import annotations

import types
from typing import Any

from ..contract.reader import module_names, version
from . import overrides
from .classes import qt_attribute, wrapper_class
from .loader import widget_class

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
        return contracted_class("ctk", name)


def contracted_class(module: str, name: str) -> Any:
    """`ctk.<name>` or `slicer.<name>`; raises AttributeError for a class that the contract does not have."""
    if name not in module_names(module):
        raise AttributeError(f"module '{module}' has no attribute '{name}': the contract of {version()} lacks it.")
    kind = widget_class(name)
    if kind is None:
        raise NotImplementedError(f"{module}.{name} exists in Slicer, but the test runtime does not emulate it.")
    return wrapper_class(kind)


def make_qt() -> types.ModuleType:
    return _LazyModule("qt", "PythonQt's qt module, emulated over PySide6.")


def make_ctk() -> types.ModuleType:
    return _CtkModule("ctk", "The ctk widgets of the contract.")
