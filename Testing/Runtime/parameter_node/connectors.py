"""Which widget shows which type of parameter, and how."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer

from .serializers import split_annotated
from .validators import Choice, Maximum, Minimum, WithinRange

_PATHS = (pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.PurePosixPath)


@dataclasses.dataclass
class Decimals:
    """Annotation: decimals of the spin box or slider."""

    value: int


@dataclasses.dataclass
class SingleStep:
    """Annotation: step of the spin box or slider."""

    value: float


class GuiConnector:
    """Base: reads a widget, writes it, and calls back when the user changes it."""

    signal = ""

    def __init__(self, widget: Any, kind: Any, annotations: list[Any]) -> None:
        self._widget, self._kind, self._callback = widget, kind, None

    @staticmethod
    def canRepresent(widget: Any, annotated: Any) -> bool:
        raise NotImplementedError

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        if self._callback is None and callback is not None:
            getattr(self._widget, self.signal).connect(self.changed)
        elif self._callback is not None and callback is None:
            getattr(self._widget, self.signal).disconnect(self.changed)
        self._callback = callback  # type: ignore[assignment]

    def changed(self) -> None:
        if self._callback is not None:
            self._callback()

    def widget(self) -> Any:
        return self._widget

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


_registered: list[type[GuiConnector]] = []


def parameterNodeGuiConnector(kind: Any = None) -> Any:
    def register(connector: type[GuiConnector]) -> type[GuiConnector]:
        _registered.append(connector)
        return connector

    return register if kind is None else register(kind)


def create_connector(widget: Any, annotated: Any) -> GuiConnector:
    """Raises RuntimeError if no connector fits the widget and the type."""
    kind, annotations = split_annotated(annotated)
    for connector in _registered:
        if connector.canRepresent(widget, annotated):
            return connector(widget, kind, annotations)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{annotated}' to widget type '{type(widget)}'")


def _is_a(widget: Any, *names: str) -> bool:
    # Slicer compares the exact class: a ctkComboBox is not taken for a QComboBox.
    return type(widget).__name__ in names


def _first(annotations: list[Any], kind: type) -> Any:
    return next((annotation for annotation in annotations if isinstance(annotation, kind)), None)


class _PropertyConnector(GuiConnector):
    """A widget whose value is one property."""

    property_name = ""
    data_types: tuple[Any, ...] = ()
    widgets: tuple[str, ...] = ()

    @classmethod
    def canRepresent(cls, widget: Any, annotated: Any) -> bool:  # type: ignore[override]
        return split_annotated(annotated)[0] in cls.data_types and _is_a(widget, *cls.widgets)

    def read(self) -> Any:
        return getattr(self._widget, self.property_name)

    def write(self, value: Any) -> None:
        setattr(self._widget, self.property_name, value)


@parameterNodeGuiConnector
class CheckBoxConnector(_PropertyConnector):
    signal, property_name, data_types, widgets = "stateChanged", "checked", (bool,), ("QCheckBox",)


@parameterNodeGuiConnector
class PushButtonConnector(_PropertyConnector):
    signal, property_name, data_types, widgets = "toggled", "checked", (bool,), ("QPushButton",)

    def __init__(self, widget: Any, kind: Any, annotations: list[Any]) -> None:
        super().__init__(widget, kind, annotations)
        widget.checkable = True


@parameterNodeGuiConnector
class LineEditConnector(_PropertyConnector):
    signal, property_name, data_types, widgets = "textChanged", "text", (str,), ("QLineEdit",)


class _NumberConnector(_PropertyConnector):
    signal, property_name = "valueChanged", "value"

    def __init__(self, widget: Any, kind: Any, annotations: list[Any]) -> None:
        super().__init__(widget, kind, annotations)
        if (decimals := _first(annotations, Decimals)) is not None:
            widget.decimals = decimals.value
        if (step := _first(annotations, SingleStep)) is not None:
            widget.singleStep = step.value
        both = _first(annotations, WithinRange)
        low, high = both or _first(annotations, Minimum), both or _first(annotations, Maximum)
        if _is_a(widget, "QSlider", "ctkSliderWidget") and (low is None or high is None):
            raise RuntimeError(
                f"Cannot connect a slider to an unbounded {kind.__name__}; annotate it with WithinRange."
            )
        widget.minimum = low.minimum if low is not None else self.lowest
        widget.maximum = high.maximum if high is not None else self.highest

    lowest: Any = -(2**31)
    highest: Any = 2**31 - 1


@parameterNodeGuiConnector
class IntConnector(_NumberConnector):
    data_types, widgets = (int,), ("QSlider", "QSpinBox")


@parameterNodeGuiConnector
class FloatConnector(_NumberConnector):
    data_types, widgets = (float,), ("QDoubleSpinBox", "ctkSliderWidget")
    lowest, highest = float("-inf"), float("inf")


@parameterNodeGuiConnector
class ChoiceConnector(GuiConnector):
    """Fills the combo box with the choices."""

    signal = "currentIndexChanged"

    @staticmethod
    def canRepresent(widget: Any, annotated: Any) -> bool:
        return _is_a(widget, "QComboBox") and split_annotated(annotated)[0] in (int, float, str, bool)

    def __init__(self, widget: Any, kind: Any, annotations: list[Any]) -> None:
        super().__init__(widget, kind, annotations)
        choice = _first(annotations, Choice)
        if choice is None:
            raise RuntimeError("A QComboBox needs the Choice annotation on its parameter.")
        self._choices = list(choice.choices)
        widget.clear()
        for value in self._choices:
            widget.addItem(str(value))

    def read(self) -> Any:
        return self._choices[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        self._widget.currentIndex = self._choices.index(value)


@parameterNodeGuiConnector
class EnumConnector(GuiConnector):
    """Fills the combo box with the members: their label() if the enum has one, else their names."""

    signal = "currentIndexChanged"

    @staticmethod
    def canRepresent(widget: Any, annotated: Any) -> bool:
        return _is_a(widget, "QComboBox") and isinstance(split_annotated(annotated)[0], enum.EnumMeta)

    def __init__(self, widget: Any, kind: Any, annotations: list[Any]) -> None:
        super().__init__(widget, kind, annotations)
        self._members = list(kind)
        widget.clear()
        for member in self._members:
            widget.addItem(member.label() if hasattr(member, "label") else member.name)

    def read(self) -> Any:
        return self._members[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        self._widget.currentIndex = self._members.index(value)


@parameterNodeGuiConnector
class TextEditConnector(GuiConnector):
    signal = "textChanged"

    @staticmethod
    def canRepresent(widget: Any, annotated: Any) -> bool:
        return _is_a(widget, "QTextEdit") and split_annotated(annotated)[0] is str

    def read(self) -> str:
        return str(self._widget.toPlainText())

    def write(self, value: str) -> None:
        # Setting the same text would move the cursor while the user types.
        if value != self.read():
            self._widget.setPlainText(value)


@parameterNodeGuiConnector
class PathConnector(_PropertyConnector):
    signal, property_name, data_types, widgets = "currentPathChanged", "currentPath", _PATHS, ("ctkPathLineEdit",)

    def read(self) -> Any:
        return self._kind(super().read())

    def write(self, value: Any) -> None:
        super().write(str(value))


@parameterNodeGuiConnector
class DirectoryConnector(PathConnector):
    signal, property_name, widgets = "directoryChanged", "directory", ("ctkDirectoryButton",)


def _node_classes(kind: Any) -> list[Any]:
    """The node classes of a node type or of a union of them (None is left out); empty for other types."""
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    candidates = [item for item in (typing.get_args(kind) if union else (kind,)) if item is not type(None)]
    all_nodes = all(isinstance(item, type) and issubclass(item, slicer.vtkMRMLNode) for item in candidates)
    return candidates if all_nodes else []


@parameterNodeGuiConnector
class NodeConnector(GuiConnector):
    """Sets the selector's nodeTypes from the parameter's type, as Slicer does."""

    signal = "currentNodeChanged"

    @staticmethod
    def canRepresent(widget: Any, annotated: Any) -> bool:
        return _is_a(widget, "qMRMLNodeComboBox") and bool(_node_classes(split_annotated(annotated)[0]))

    def __init__(self, widget: Any, kind: Any, annotations: list[Any]) -> None:
        super().__init__(widget, kind, annotations)
        widget.nodeTypes = [item.__name__ for item in _node_classes(kind)]

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)
