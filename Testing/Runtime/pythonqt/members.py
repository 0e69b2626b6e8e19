"""Members of the wrapper classes: properties, methods, signals, enum values, each as PythonQt shows it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from . import qt5, signals
from .values import EnumInt, call, normalized, to_python, to_qt

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

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        qt_object = instance._checked()
        if _python_property(qt_object, self.name):
            return to_python(getattr(qt_object, self.name))
        capital = self.name[0].upper() + self.name[1:]
        # QTimer.singleShot is both a property and a static method: ask for isSingleShot first.
        for getter in (f"is{capital}", f"has{capital}", self.name):
            if callable(getattr(qt_object, getter, None)):
                return to_python(getattr(qt_object, getter)())
        return to_python(qt_object.property(self.name))

    def __set__(self, instance: Any, value: Any) -> None:
        qt_object = instance._checked()
        kind = instance.className()
        index = qt_object.metaObject().indexOfProperty(self.name)
        meta = qt_object.metaObject().property(index)
        if not meta.isWritable():
            raise AttributeError(f"Property '{self.name}' of {kind} object is not writable")
        capital = self.name[0].upper() + self.name[1:]
        setter = getattr(qt_object, f"set{capital}", None)
        try:
            if not _accepts(meta.typeName(), value):
                raise ValueError("wrong type")
            if _python_property(qt_object, self.name):
                setattr(qt_object, self.name, to_qt(value))
            elif callable(setter):
                call(setter, f"set{capital}", (value,), {})
            elif not qt_object.setProperty(self.name, to_qt(value)):
                raise ValueError("refused")
        except (TypeError, ValueError) as error:
            raise AttributeError(
                f"Property '{self.name}' of type '{meta.typeName()}' does not accept an object of type "
                f"{type(value).__name__} ({value!r})"
            ) from error


_ACCEPTED: dict[str, tuple[type, ...]] = {
    "QString": (str,), "bool": (bool, int), "int": (int,), "double": (int, float), "float": (int, float),
    "QStringList": (list, tuple),
}  # fmt: skip


def _accepts(type_name: str, value: Any) -> bool:
    return isinstance(value, _ACCEPTED.get(type_name, (object,)))


def _python_property(qt_object: Any, name: str) -> bool:
    """Whether an emulated class declares the property itself."""
    return any(isinstance(vars(kind).get(name), QtCore.Property) for kind in type(qt_object).__mro__)


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
        target = self._owner._qt_class if self._instance is None else self._instance._checked()
        # The method of the class where it was found: super().method() must not come back to the Python subclass.
        function = getattr(super_of_derived(target), self._name)
        return call(function, f"{self._owner.__name__}.{self._name}", args, kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundMethod) and (self._instance, self._name) == (other._instance, other._name)

    def __hash__(self) -> int:
        return hash((self._instance, self._name))

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"The method '{self._name}' of {self._owner.__name__} has no attribute '{name}'.")


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


def declared(kind: type, name: str) -> Any:
    """The member as the class declares it, unbound; None if there is none."""
    return next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)


def refusal(kind: type, name: str) -> str | None:
    """The reason why the class refuses the member, or None if it does not."""
    found = declared(kind, name)
    return found.reason if isinstance(found, Refused) else None


class EnumType:
    """`qt.Qt.CheckState`: converts an int; has no members, because PythonQt's enums are unscoped."""

    def __init__(self, kind: Any, owner: str) -> None:
        self._kind, self._owner = kind, owner

    def __call__(self, value: int) -> int:
        return EnumInt(self._kind(value))

    def __getattr__(self, name: str) -> Any:
        owner, kind = self._owner, self._kind.__name__
        raise AttributeError(f"PythonQt's enums are unscoped: write qt.{owner}.{name}, not qt.{owner}.{kind}.{name}.")


def operator(name: str) -> Any:
    def apply(self: Any, *others: Any) -> Any:
        return call(getattr(self._checked(), name), name, others, {})

    return apply


def class_members(kind: type) -> dict[str, Any]:
    """The namespace of the wrapper class of a PySide6 class (its own members, not the inherited ones)."""
    found: dict[str, Any] = {}
    is_qobject = issubclass(kind, QtCore.QObject)
    meta = kind.staticMetaObject if is_qobject else None  # type: ignore[attr-defined]
    properties = {meta.property(i).name() for i in range(meta.propertyCount())} if meta else set()
    own = {meta.property(i).name() for i in range(meta.propertyOffset(), meta.propertyCount())} if meta else set()
    for name, value in list(vars(kind).items()):
        if name.startswith("_") or name in properties:
            continue
        if isinstance(value, type) and issubclass(value, enum.Enum):
            found[name] = EnumType(value, kind.__name__)
            found.update({member: EnumInt(item) for member, item in value.__members__.items() if member not in found})
        elif isinstance(value, QtCore.Signal):
            found[name] = QtSignal(name, first_overload(meta, name))
        elif not kind.__module__.startswith("PySide6"):
            # Of an emulated class only what stands for a C++ slot or Q_INVOKABLE method can be called.
            if getattr(value, "invokable", None):
                found[name] = QtMethod(name)
        elif callable(value) or isinstance(value, (staticmethod, classmethod)):
            found[name] = QtMethod(name)
    found.update({name: QtProperty(name) for name in own})
    if kind is QtCore.QObject:
        found["name"] = found["objectName"]
    for signature in reversed(vars(kind).get("emulated_signals", ())):
        name = signature.partition("(")[0]
        found[name] = QtSignal(name, normalized(signature))
    for name, value in vars(kind).get("emulated_enums", {}).items():
        found[name] = value
    for name in qt5.qt6_only_members(kind.__name__):
        found[name] = Refused(f"{kind.__name__}.{name} exists only in Qt 6; Slicer 5.12 is built with Qt 5.15.")
    if "exec" in found:
        found["exec_"] = QtMethod("exec")
        found["exec"] = Refused(f"Write {kind.__name__}.exec_(), which every Slicer has.")
    return found


def first_overload(meta: Any, name: str) -> str:
    """The signature that `object.signal.connect` takes: the first one the class declares."""
    for index in range(meta.methodCount()):
        method = meta.method(index)
        if bytes(method.name().data()).decode() == name and method.methodType() == QtCore.QMetaMethod.Signal:
            return bytes(method.methodSignature().data()).decode()
    raise AssertionError(f"{meta.className()} has no signal {name}.")


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
