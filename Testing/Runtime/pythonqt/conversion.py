"""Chooses the overload of a Qt function and converts its arguments, as PythonQt does."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import types
import typing
from typing import Any

import numpy as np
import shiboken6
import vtk
from PySide6 import QtCore
from shibokensupport.signature import get_signature

from ..rules import StricterRuleError

EXACT, LENIENT = 0, 1
_ANNOTATED: dict[str, object] = {"str": str, "bool": bool, "int": int, "float": float, "list[str]": list[str]}
_INT_LIMIT = 2**31


class _UnfitError(Exception):
    """The argument cannot become the wanted type."""


def text_of(value: Any) -> str:
    """What PythonQt makes of a value where a text is wanted: its str(). None, bytes, containers, nodes are refused."""
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, (bytes, list, tuple, dict, set, QtCore.QObject, vtk.vtkObject)):
        raise StricterRuleError(f"{value!r} was given for a text", f"Slicer would show {str(value)!r}")
    return str(value)


def _whole(value: Any) -> int:
    if isinstance(value, np.floating) or not isinstance(value, (int, float, np.integer, np.bool_)):
        if not isinstance(value, enum.Enum):
            raise _UnfitError
        value = value.value
    number = int(value)
    if abs(number) >= 2 * _INT_LIMIT:
        raise StricterRuleError(f"{number} is too large for an int", "Slicer would take 0 without a word")
    return number


def fit(value: Any, kind: Any) -> tuple[int, Any]:
    """How well the value fits the kind, and what it becomes. Raises _UnfitError or StricterRuleError."""
    if kind is str:
        return (EXACT if isinstance(value, str) else LENIENT), text_of(value)
    if kind is bool:
        return (EXACT if isinstance(value, bool) else LENIENT), bool(value)
    if kind is int:
        return (EXACT if type(value) is int else LENIENT), _whole(value)
    if kind is float:
        if isinstance(value, (int, float, np.number, np.bool_)) and not isinstance(value, enum.Enum):
            return (EXACT if isinstance(value, float) else LENIENT), float(value)
        raise _UnfitError
    if isinstance(kind, enum.EnumMeta):
        return _fit_enum(value, kind)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return _fit_union(value, typing.get_args(kind))
    if typing.get_origin(kind) in (collections.abc.Sequence, list):
        if not isinstance(value, (list, tuple)):
            raise _UnfitError
        (inner,) = typing.get_args(kind)
        return EXACT, [fit(item, inner)[1] for item in value]
    if kind in (typing.Any, object) and isinstance(value, bytes):
        return EXACT, QtCore.QByteArray(value)
    of_qt = isinstance(kind, type) and issubclass(kind, shiboken6.Shiboken.Object)
    if of_qt and value is not None and not isinstance(value, kind):
        raise _UnfitError
    return EXACT, value


def _fit_enum(value: Any, kind: enum.EnumMeta) -> tuple[int, Any]:
    if isinstance(value, kind):
        return EXACT, value
    if isinstance(value, enum.Enum):
        raise StricterRuleError(f"{value!r} was given for a {kind.__name__}", "Slicer would take its number")
    if isinstance(value, (int, np.integer)):
        try:
            return LENIENT, kind(int(value))
        except ValueError:
            raise _UnfitError from None
    raise _UnfitError


def _fit_union(value: Any, kinds: tuple[Any, ...]) -> tuple[int, Any]:
    # Where PySide takes a text or number for one of Qt's own classes, PythonQt wants an object of the class.
    of_qt = any(isinstance(kind, type) and issubclass(kind, shiboken6.Shiboken.Object) for kind in kinds)
    for kind in kinds:
        if kind is type(None):
            if value is None:
                return EXACT, None
        elif not (of_qt and kind in (str, int)):
            try:
                return fit(value, kind)
            except (_UnfitError, StricterRuleError):
                continue
    raise _UnfitError


Overload = tuple[list[Any], int]
_known: dict[Any, list[Overload] | None] = {}


def overloads(function: Any, key: Any) -> list[Overload] | None:
    """The kinds of the parameters and the number of those that must be given, per overload; None if unknown."""
    if key is None:
        return _read_overloads(function)
    if key not in _known:
        _known[key] = _read_overloads(function)
    return _known[key]


def _read_overloads(function: Any) -> list[Overload] | None:
    constructor = vars(function).get("__init__") if isinstance(function, type) else None
    plain = constructor or getattr(function, "__func__", function)
    if isinstance(plain, types.FunctionType):
        found: Any = [inspect.signature(plain if constructor else function)]
    else:
        found = get_signature(function)
        found = found if isinstance(found, list) else [found]
    if not found or not all(found):
        return None
    read = [_overload(signature) for signature in found]
    # Overloads that take a Python function are PySide's own.
    return [
        entry for entry in read if not any(typing.get_origin(kind) is collections.abc.Callable for kind in entry[0])
    ]


def _overload(signature: inspect.Signature) -> Overload:
    kinds, needed = [], 0
    for name, parameter in signature.parameters.items():
        if name == "self" or parameter.kind is parameter.KEYWORD_ONLY:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            kinds.extend([object] * 10)
            continue
        annotation = parameter.annotation
        kinds.append(_ANNOTATED.get(annotation, object) if isinstance(annotation, str) else annotation)
        needed += parameter.default is parameter.empty
    return kinds, needed


def converted_calls(found: list[Overload], arguments: list[Any]) -> list[list[Any]]:
    """The converted arguments for each overload that takes them, exact fits first.

    Raises StricterRuleError if only the runtime's own rule keeps the arguments from fitting.
    """
    fitting: list[tuple[int, list[Any]]] = []
    refused: StricterRuleError | None = None
    for kinds, needed in found:
        if not needed <= len(arguments) <= len(kinds):
            continue
        try:
            pairs = [fit(argument, kind) for argument, kind in zip(arguments, kinds, strict=False)]
        except _UnfitError:
            continue
        except StricterRuleError as error:
            refused = refused or error
            continue
        fitting.append((max((level for level, _ in pairs), default=EXACT), [value for _, value in pairs]))
    if not fitting and refused is not None:
        raise refused
    return [values for _, values in sorted(fitting, key=lambda pair: pair[0])]


def wrong_arguments(name: str, found: list[Overload] | None, arguments: tuple[Any, ...]) -> ValueError:
    """The exception that PythonQt raises for arguments that no overload takes."""
    short = name.rpartition(".")[2]
    signatures = [f"{short}({', '.join(_spelled(kind) for kind in kinds)})" for kinds, _ in found or ()]
    if len(signatures) == 1:
        return ValueError(f"Called {signatures[0]} with wrong arguments: {arguments!r}")
    listed = "\n".join(signatures)
    return ValueError(
        f"Could not find matching overload for given arguments:\n{arguments!r}\n"
        f" The following slots are available:\n{listed}\n"
    )


def _spelled(kind: Any) -> str:
    return {str: "QString", float: "double"}.get(kind, getattr(kind, "__name__", str(kind)))


def keyword_arguments(name: str, found: list[Overload] | None) -> ValueError:
    """The exception that PythonQt raises for keyword arguments."""
    kinds = found[0][0] if found else []
    spelled = f"{name.rpartition('.')[2]}({', '.join(_spelled(kind) for kind in kinds)})"
    return ValueError(f"Called {spelled} with keyword arguments, but called slot does not support kwargs.")


def converted_property(value: Any, type_name: str) -> Any:
    """The value for a property of a plain type, any other value as it is. Raises ValueError if it does not fit."""
    kind = {
        "QString": str, "bool": bool, "int": int, "uint": int, "double": float, "float": float,
        "QStringList": list[str],
    }.get(type_name)  # fmt: skip
    if kind is None:
        return value
    if kind == list[str] and isinstance(value, str):
        raise StricterRuleError(f"{value!r} was given for a list of texts", "Slicer would take its letters")
    try:
        return fit(value, kind)[1]
    except _UnfitError:
        raise ValueError("wrong type") from None
