"""What Qt's meta objects say of the classes: properties and signals."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets


def _own(kind: Any) -> tuple[list[str], list[str]]:
    """The names of the properties and the signatures of the signals that this class itself declares."""
    meta = kind.staticMetaObject
    properties = [meta.property(index).name() for index in range(meta.propertyOffset(), meta.propertyCount())]
    methods = (meta.method(index) for index in range(meta.methodOffset(), meta.methodCount()))
    signals = [method for method in methods if method.methodType() == QtCore.QMetaMethod.Signal]
    return properties, [bytes(signal.methodSignature().data()).decode() for signal in signals]


# Read before there is any object: PySide's static meta object dies with an object that was asked for its own.
_known = {
    kind: _own(kind)
    for module in (QtCore, QtGui, QtWidgets)
    for kind in list(vars(module).values())
    if isinstance(kind, type) and issubclass(kind, QtCore.QObject)
}


def _of(kind: type) -> tuple[list[str], list[str]]:
    if kind not in _known:
        _known[kind] = _own(kind)
    return _known[kind]


def own_property_names(kind: type) -> list[str]:
    return _of(kind)[0]


def property_names(kind: type) -> set[str]:
    """The names of all properties, the inherited ones included."""
    return {name for base in kind.__mro__ if issubclass(base, QtCore.QObject) for name in _of(base)[0]}


def signal_signatures(kind: type) -> list[str]:
    """The signatures of all signals, the inherited ones first."""
    bases = [base for base in reversed(kind.__mro__) if issubclass(base, QtCore.QObject)]
    return [signature for base in bases for signature in _of(base)[1]]
