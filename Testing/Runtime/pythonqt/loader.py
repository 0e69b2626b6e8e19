"""Loads .ui files as Slicer's QUiLoader does, with the emulated widget classes, and refuses what Qt would ignore."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import signals
from .classes import slot_method, wrap

_widgets: dict[str, type | None] = {}


def register_widget_class(kind: type) -> type:
    """Complete an emulated widget class from the contract, and make it known to .ui files by its `pythonqt_name`."""
    from ..widgets.from_contract import completed

    _widgets[vars(kind)["pythonqt_name"]] = whole = completed(kind)
    return whole


def widget_class(name: str) -> type | None:
    """The stand-in of a class of CTK, qMRML or Slicer: written for it, or made from the contract; None if unknown."""
    from ..widgets import from_contract

    if name not in _widgets:
        _widgets[name] = from_contract.widget_class(name)
    return _widgets[name]


class UnknownWidgetClassError(RuntimeError):
    """A .ui file names a widget class that the contract does not have."""


class _Loader(QtUiTools.QUiLoader):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.failures: list[str] = []

    def createWidget(self, class_name: str, parent: Any = None, name: str = "") -> Any:
        kind = getattr(QtWidgets, class_name, None) or widget_class(class_name)
        if kind is None:
            self.failures.append(f"{class_name} (of '{name}')")
            kind = QtWidgets.QWidget
        widget = kind(parent)
        widget.setObjectName(name)
        return widget


def load_ui_file(path: str, parent: Any = None) -> Any:
    """The wrapped root widget of the file.

    Raises UnknownWidgetClassError for a class the runtime lacks, ValueError for a property, signal or slot that does
    not exist (QUiLoader would keep silent, and the panel would not work).
    """
    tree, stripped, wanted = _parsed(path, Path(path).stat().st_mtime_ns)
    content = QtCore.QBuffer()
    content.setData(stripped)
    loader = _Loader()
    root = loader.load(content, parent)
    if loader.failures:
        raise UnknownWidgetClassError(f"{path}: not in the contract of Slicer: {', '.join(loader.failures)}.")
    if root is None:
        raise RuntimeError(f"Could not load UI file: {path}: {loader.errorString()}")
    wrapper = wrap(root)
    _check_properties(tree, root, path)
    for sender, signal, receiver, slot in wanted:
        source, target = _named(root, sender, path), _named(root, receiver, path)
        if not signals.has_signal(source, signals.normalized(signal)):
            raise ValueError(f"{path}: Signal '{signal}' of '{sender}' does not exist.")
        if slot_method(target, slot) is None:
            raise ValueError(f"{path}: Slot '{slot}' of '{receiver}' does not exist.")
        signals.connect(source, signal, target, slot)
    return wrapper


@functools.lru_cache
def _parsed(path: str, _changed: int) -> tuple[ElementTree.ElementTree[Any], bytes, list[tuple[str, str, str, str]]]:
    """The file without its connections, as a tree and as text, and these; a panel is opened hundreds of times."""
    tree = ElementTree.parse(path)
    connections = tree.getroot().find("connections")
    wanted = [] if connections is None else [_connection(item) for item in connections.findall("connection")]
    if connections is not None:
        connections.clear()
    return tree, ElementTree.tostring(tree.getroot()), wanted


def _connection(element: ElementTree.Element) -> tuple[str, str, str, str]:
    texts = [element.findtext(tag) or "" for tag in ("sender", "signal", "receiver", "slot")]
    return texts[0], texts[1], texts[2], texts[3]


def _named(root: Any, name: str, path: str) -> Any:
    found = root if root.objectName() == name else root.findChild(QtCore.QObject, name)
    if found is None:
        raise ValueError(f"{path}: a connection names the object '{name}', which does not exist.")
    return wrap(found)


def _check_properties(tree: ElementTree.ElementTree[Any], root: Any, path: str) -> None:
    """A property that the class does not have must be marked as a dynamic one (stdset="0")."""
    for element in tree.getroot().iter("widget"):
        name = element.get("name", "")
        widget = root if root.objectName() == name else root.findChild(QtWidgets.QWidget, name)
        if widget is None:
            continue
        meta = widget.metaObject()
        for item in element.findall("property"):
            if item.get("stdset") != "0" and meta.indexOfProperty(item.get("name")) < 0:
                raise ValueError(f"{path}: '{name}' ({element.get('class')}) has no property '{item.get('name')}'.")
