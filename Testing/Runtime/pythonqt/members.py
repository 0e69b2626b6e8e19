"""Members of the wrapper classes: properties, methods, signals, enum values, each as PythonQt shows it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from ..contract.reader import PropertyContract
from . import conversion, signals
from .values import EnumInt, call, to_python, to_qt

_overrides: dict[str, dict[str, Any]] = {}


def override(class_name: str, name: str) -> Callable[[Any], Any]:
    """Decorator: this function replaces the Qt method of the class (for what would block, or PythonQt changes)."""

    def register(function: Any) -> Any:
        _overrides.setdefault(class_name, {})[name] = function
        return function

    return register


def overrides_for(class_name: str) -> dict[str, Any]:
    return dict(_overrides.get(class_name, {}))


class QtProperty:
    """A property: read and written as an attribute, never called."""

    def __init__(self, name: str, contract: PropertyContract | None = None) -> None:
        self.name, self.contract = name, contract

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        qt_object = instance._checked(f"read property '{self.name}' from")
        if _python_property(type(qt_object), self.name):
            return to_python(getattr(qt_object, self.name))
        capital = self.name[0].upper() + self.name[1:]
        # QTimer.singleShot is both a property and a static method: ask for isSingleShot first.
        for getter in (f"is{capital}", f"has{capital}", self.name):
            if callable(getattr(qt_object, getter, None)):
                return to_python(getattr(qt_object, getter)())
        return to_python(qt_object.property(self.name))

    def __set__(self, instance: Any, value: Any) -> None:
        qt_object = instance._checked(f"write property '{self.name}' of")
        kind = instance.className()
        meta = qt_object.metaObject().property(qt_object.metaObject().indexOfProperty(self.name))
        writable = self.contract.writable if self.contract and self.contract.type else meta.isWritable()
        type_name = (self.contract.type if self.contract else "") or str(meta.typeName() or "")
        if not writable:
            raise AttributeError(f"Property '{self.name}' of {kind} object is not writable")
        try:
            if isinstance(value, str) and self.contract and self.contract.enum:
                value = _enum_by_name(instance, value)
            self._write(qt_object, conversion.converted_property(value, type_name))
        except (TypeError, ValueError) as error:
            raise AttributeError(
                f"Property '{self.name}' of type '{type_name}' does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            ) from error

    def _write(self, qt_object: Any, value: Any) -> None:
        capital = self.name[0].upper() + self.name[1:]
        setter = getattr(qt_object, f"set{capital}", None)
        if _python_property(type(qt_object), self.name):
            setattr(qt_object, self.name, to_qt(value))
        elif callable(setter):
            call(setter, f"set{capital}", (value,), {}, type(qt_object))
        elif not qt_object.setProperty(self.name, to_qt(value)):
            raise ValueError("refused")

    def __delete__(self, instance: Any) -> None:
        """Nothing happens, as in PythonQt."""


def _enum_by_name(instance: Any, name: str) -> Any:
    found = getattr(type(instance), name, None)
    if not isinstance(found, int):
        raise ValueError("no such enum value")
    return found


@functools.cache
def _python_property(kind: type, name: str) -> bool:
    """Whether an emulated class declares the property itself."""
    return any(isinstance(vars(base).get(name), QtCore.Property) for base in kind.__mro__)


class HiddenProperty:
    """A property under the name of a slot: reading gives the slot, and nothing can be assigned."""

    def __init__(self, name: str, slot: Any) -> None:
        self.name, self._slot = name, slot

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self._slot

    def __set__(self, instance: Any, value: Any) -> None:
        raise AttributeError(f"Slot '{self.name}' can not be overwritten on {instance.className()} object")


class QtMethod:
    """A method, bound or static, called with converted arguments."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any) -> BoundMethod:
        return BoundMethod(instance, owner, self.name)


class BoundMethod:
    """`widget.show`; equal to itself whenever it is fetched, so that it can be disconnected."""

    def __init__(self, instance: Any, owner: Any, name: str) -> None:
        self._instance, self._owner, self._name = instance, owner, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        kind = qt_class_of(self._owner)
        if self._instance is None:
            # As Python does with a function of a class: the first argument is the object.
            if args and isinstance(getattr(args[0], "_qt", None), kind):
                return BoundMethod(args[0], self._owner, self._name)(*args[1:], **kwargs)
            target: Any = kind
        else:
            target = self._instance._checked(f"call '{self._name}' on")
        # The method of the class where it was found: super().method() must not come back to the Python subclass.
        function = getattr(super_of_derived(target), self._name)
        return call(function, f"{self._owner.__name__}.{self._name}", args, kwargs, kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and (self._instance, self._name) == (other._instance, other._name)

    def __hash__(self) -> int:
        return hash((self._instance, self._name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"The method '{self._name}' of {self._owner.__name__} has no attribute '{name}'.")


def qt_class_of(wrapper_class: Any) -> type:
    """The Qt class behind a wrapper class, without the classes made for virtual functions."""
    kind: type = wrapper_class._qt_class
    while vars(kind).get("_forwards_virtuals", False):
        kind = kind.__mro__[1]
    return kind


def super_of_derived(target: Any) -> Any:
    """The object seen as its first class that is not a Python subclass made for virtual functions."""
    kind = type(target)
    if isinstance(target, type) or not vars(kind).get("_forwards_virtuals", False):
        return target
    while vars(kind).get("_forwards_virtuals", False):
        derived, kind = kind, kind.__mro__[1]
    return super(derived, target)


class QtSignal:
    """A signal of a class; fetched from an object it can be connected."""

    def __init__(self, name: str, signature: str) -> None:
        self.name, self.signature = name, signature

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else signals.BoundSignal(instance, self.name, self.signature)


class Refused:
    """A member that must not be used; looking at it raises AttributeError with the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise AttributeError(self.reason)


class NotEmulated:
    """A member that Slicer has and the runtime has not; looking at it raises NotImplementedError."""

    def __init__(self, class_name: str, name: str) -> None:
        self.text = f"{class_name}.{name} exists in Slicer, but the test runtime does not emulate it."

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise NotImplementedError(self.text)

    def __set__(self, instance: Any, value: Any) -> None:
        raise NotImplementedError(self.text)


def declared(kind: type, name: str) -> Any:
    """The member as the class declares it, unbound; None if there is none."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def refusal(kind: type, name: str) -> str | None:
    """The reason why the class refuses the member, or None if it does not."""
    found = declared(kind, name)
    return found.reason if isinstance(found, Refused) else None


def spoken_kind(member: Any) -> str | None:
    """What PythonQt calls a member that cannot be assigned to, or None if it can."""
    if isinstance(member, QtSignal):
        return "Signal"
    if isinstance(member, int):
        return "EnumValue"
    return "Slot" if callable(member) or isinstance(member, (QtMethod, staticmethod)) else None


class EnumType:
    """`qt.Qt.CheckState`: converts an int, and has its values as attributes."""

    def __init__(self, kind: Any, name: str) -> None:
        self._kind, self._name = kind, name

    def __call__(self, value: int) -> int:
        return EnumInt(self._kind(value)) if self._kind is not None else int(value)

    def __getattr__(self, name: str) -> Any:
        members = getattr(self._kind, "__members__", {})
        if name.startswith("_") or name not in members:
            raise AttributeError(f"The enum {self._name} has no value '{name}'.")
        return EnumInt(members[name])


def operator(name: str) -> Any:
    def apply(self: Any, *others: Any) -> Any:
        return call(getattr(self._checked(), name), name, others, {})

    return apply


def dynamic_attribute(wrapper: Any, qt_object: Any, name: str) -> Any:
    """A dynamic property, or a child by its object name; AttributeError otherwise."""
    if name.encode() in [bytes(p.data()) for p in qt_object.dynamicPropertyNames()]:
        return to_python(qt_object.property(name))
    for child in qt_object.children():
        if child.objectName() == name:
            return to_python(child)
    raise AttributeError(f"{wrapper.className()} has no attribute named '{name}'")


def set_dynamic_property(qt_object: Any, name: str, value: Any) -> bool:
    if name.encode() not in [bytes(p.data()) for p in qt_object.dynamicPropertyNames()]:
        return False
    qt_object.setProperty(name, to_qt(value))
    return True


def emulated_slot(qt_object: Any, signature: str) -> Any:
    """The method of an emulated widget that declares this slot signature, or None."""
    name = signature.partition("(")[0]
    for kind in type(qt_object).__mro__:
        if signature in getattr(vars(kind).get(name), "invokable", ()):
            return getattr(qt_object, name)
    return None
