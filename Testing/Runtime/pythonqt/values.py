"""Values that cross the border between the module's Python and Qt, converted as PythonQt converts them."""

from __future__ import annotations

import enum
import os
from typing import Any

import shiboken6
from PySide6 import QtCore
from shibokensupport.signature import get_signature


class EnumInt(int):
    """An enum value: an int, as in PythonQt, that remembers which Qt enum it came from for overloads."""

    member: enum.Enum

    def __new__(cls, member: enum.Enum) -> EnumInt:
        value = super().__new__(cls, member.value)
        value.member = member
        return value

    def _combine(self, other: object, operation: str) -> int:
        result = getattr(int(self), operation)(int(other))  # type: ignore[call-overload]
        kind = type(self.member)
        if issubclass(kind, enum.Flag) and (type(other) is int or type(getattr(other, "member", None)) is kind):
            return EnumInt(kind(result))
        return int(result)

    def __or__(self, other: object) -> int:
        return self._combine(other, "__or__")

    def __and__(self, other: object) -> int:
        return self._combine(other, "__and__")

    __ror__ = __or__
    __rand__ = __and__


def to_python(value: Any) -> Any:
    """What PythonQt hands to Python: enums are ints, lists are tuples, Qt objects are wrapped."""
    from .classes import wrap

    if isinstance(value, enum.Enum):
        return EnumInt(value)
    if isinstance(value, (list, tuple)):
        return tuple(to_python(item) for item in value)
    if isinstance(value, dict):
        return {key: to_python(item) for key, item in value.items()}
    if isinstance(value, shiboken6.Shiboken.Object):
        return wrap(value)
    return value


def to_qt(value: Any) -> Any:
    """What Qt gets; raises ValueError for what PythonQt cannot convert (paths, numpy scalars)."""
    from .classes import PythonQtClass, PythonQtObject

    if isinstance(value, PythonQtObject):
        return value._checked()
    if isinstance(value, PythonQtClass):
        return value._qt_class
    if isinstance(value, EnumInt):
        return value.member
    if isinstance(value, enum.Enum):
        raise ValueError(f"PythonQt cannot convert the Python enum {value!r}; Qt takes only its own enums.")
    if isinstance(value, (list, tuple)):
        return [to_qt(item) for item in value]
    if isinstance(value, dict):
        return {key: to_qt(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        raise ValueError(f"PythonQt cannot convert {value!r} to a QString; pass str(path).")
    if type(value).__module__ == "numpy" and not isinstance(value, float):
        raise ValueError(f"PythonQt cannot convert the numpy value {value!r}; pass int(), float() or bool() of it.")
    return value


def call(function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a Qt function as PythonQt would: no keyword arguments, plain ints for enums, ValueError if nothing fits."""
    if kwargs:
        raise TypeError(f"{name}() was called with keyword arguments ({', '.join(kwargs)}); PythonQt takes none.")
    converted = [to_qt(argument) for argument in args]
    try:
        return to_python(function(*converted))
    except (TypeError, ValueError) as first_failure:
        for attempt in with_enums(function, converted):
            try:
                return to_python(function(*attempt))
            except (TypeError, ValueError):
                continue
        raise ValueError(f"Could not find matching overload of {name} for {args!r}: {first_failure}") from first_failure


def with_enums(function: Any, arguments: list[Any]) -> list[list[Any]]:
    """The same arguments with plain ints turned into the enums that the overloads ask for."""
    if not any(type(argument) is int for argument in arguments):
        return []
    signatures = get_signature(function) or []
    attempts = []
    for signature in signatures if isinstance(signatures, list) else [signatures]:
        kinds = [parameter.annotation for name, parameter in signature.parameters.items() if name != "self"]
        attempt = list(arguments)
        for index, (kind, argument) in enumerate(zip(kinds, arguments, strict=False)):
            if type(argument) is int and isinstance(kind, enum.EnumMeta):
                try:
                    attempt[index] = kind(argument)
                except ValueError:
                    break
        else:
            if any(new is not old for new, old in zip(attempt, arguments, strict=False)):
                attempts.append(attempt)
    return attempts


def normalized(signature: str) -> str:
    """A signal or slot signature as Qt's meta objects spell it."""
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
