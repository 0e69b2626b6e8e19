"""What the emulated widget classes share: only what is marked invokable can be called, as with C++ slots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from PySide6 import QtCore

from ..pythonqt import signals
from ..pythonqt.values import normalized

Function = TypeVar("Function", bound=Callable[..., Any])


def invokable(*signatures: str) -> Callable[[Function], Function]:
    """Decorator: PythonQt can call this method; the signatures are those that a connection may name as its slot."""

    def mark(function: Function) -> Function:
        function.invokable = tuple(normalized(signature) for signature in signatures) or ("",)  # type: ignore[attr-defined]
        return function

    return mark


class Emulated:
    """Mixin of emulated widgets: `emulated_signals` lists their signals, the first of each name being the default."""

    emulated_signals: tuple[str, ...] = ()

    def emit_signal(self, signature: str, *arguments: Any) -> None:
        signals.emit_emulated(self, signature, *arguments)


def stored(kind: Any, name: str) -> Any:
    """A property that is only kept, in the object's `_values`."""

    def write(self: Any, value: Any) -> None:
        self._values[name] = list(value) if kind == "QStringList" else value

    return QtCore.Property(kind, lambda self: self._values[name], write)


def constant(kind: Any, value: Any) -> Any:
    """A read-only property."""
    return QtCore.Property(kind, lambda self: value)


class NodeObserver:
    """Observations of MRML nodes by an emulated widget; they end when the node changes or the widget dies."""

    def __init__(self) -> None:
        self._tags: list[tuple[Any, int]] = []

    def observe(self, subject: Any, events: tuple[Any, ...], callback: Callable[..., None]) -> None:
        """Replace all observations by those of `subject` (None: only end them)."""
        self.stop()
        self.add(subject, events, callback)

    def add(self, subject: Any, events: tuple[Any, ...], callback: Callable[..., None]) -> None:
        if subject is not None:
            self._tags.extend((subject, subject.AddObserver(event, callback)) for event in events)

    def stop(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()
