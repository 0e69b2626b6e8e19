"""Values that cross the border between the module's Python and Qt, converted as PythonQt converts them."""

from __future__ import annotations

import enum
from typing import Any

import shiboken6
from PySide6 import QtCore

from ..rules import StricterRuleError
from . import conversion

_PLAIN = frozenset((type(None), bool, int, float, str))
"""Types of most values, which are the same on both sides."""


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
    if type(value) in _PLAIN:
        return value
    from .classes import wrap

    if isinstance(value, enum.Enum) and type(value).__module__.startswith("PySide6"):
        return EnumInt(value)
    if isinstance(value, (list, tuple)):
        return tuple(to_python(item) for item in value)
    if isinstance(value, dict):
        return {key: to_python(item) for key, item in value.items()}
    if isinstance(value, shiboken6.Shiboken.Object):
        return wrap(value)
    return value


def to_qt(value: Any) -> Any:
    """What Qt gets; raises ValueError for a Python enum."""
    if type(value) in _PLAIN:
        return value
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
    return value


def call(function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], owner: object = None) -> Any:
    """Call a Qt function as PythonQt would; raises its ValueError if no overload takes the arguments.

    `owner` is the Qt class of the function, by which its overloads are remembered.
    """
    found = conversion.overloads(function, (owner, name) if owner is not None else None)
    if kwargs:
        raise conversion.keyword_arguments(name, found)
    if args and args[0] is None and name.endswith((".addWidget", ".addLayout", ".insertWidget", ".insertLayout")):
        # PySide would crash.
        raise StricterRuleError(f"None was given to {name}", "Slicer would add nothing")
    arguments = [to_qt(argument) for argument in args]
    attempts = [arguments] if found is None else conversion.converted_calls(found, arguments)
    for attempt in attempts:
        try:
            return to_python(function(*attempt))
        except (TypeError, ValueError) as error:
            if _is_from_python(function, error):
                raise
    raise conversion.wrong_arguments(name, found, args)


def _is_from_python(function: Any, error: Exception) -> bool:
    """Whether the exception comes from inside an emulated method, and not from PySide's argument check."""
    trace = error.__traceback__
    return trace is not None and trace.tb_next is not None and hasattr(function, "__func__")


def normalized(signature: str) -> str:
    """A signal or slot signature as Qt's meta objects spell it."""
    return bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
