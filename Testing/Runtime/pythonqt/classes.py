"""Wrapper classes, made from PySide6's and held against the contract: properties are attributes, and so on.

One wrapper class is made for each Qt class when it is first used. As in PythonQt, the classes do not inherit from each
other: `isinstance(qt.QLabel(), qt.QWidget)` is False, and each has the members of its bases.
"""

from __future__ import annotations

import enum
import threading
import types
import weakref
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from ..contract import reader
from . import conversion, members, qt5, signals
from .contracted import class_namespace, known_class, name_in_slicer, nearest_contract
from .errors import swallowed
from .values import call, to_python, to_qt

_wrapper_classes: dict[type, PythonQtClass] = {}


class PythonQtClass(type):
    """Metaclass of the wrappers; `_qt_class` is the PySide6 class behind."""

    _qt_class: type

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        if "_qt_class" not in namespace and any(isinstance(base, PythonQtClass) for base in bases):
            cls._qt_class = _derived_qt_class(name, cls._qt_class, namespace)

    def __getattr__(cls, name: str) -> Any:
        if reason := members.refusal(cls, name):
            raise AttributeError(reason)
        raise AttributeError(f"{cls.__name__} has no attribute named '{name}'")


class PythonQtObject(metaclass=PythonQtClass):
    """Base of all wrappers; `_qt` is the PySide6 object behind."""

    __slots__ = ("__weakref__", "_qt")
    _qt_class = object

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _adopt(self, _construct(type(self), args, kwargs))

    def _checked(self, action: str = "use") -> Any:
        """The Qt object; raises ValueError if it was deleted, RuntimeError in another thread than Qt's."""
        try:
            qt_object = object.__getattribute__(self, "_qt")
        except AttributeError:
            # So it is also where the base class's __init__ was not called.
            raise ValueError(f"Trying to {action} a destroyed {self.className()} object") from None
        if threading.current_thread() is not threading.main_thread() and isinstance(qt_object, QtCore.QObject):
            raise RuntimeError(f"A {type(self).__name__} was used outside the main thread; Slicer would crash.")
        if not shiboken6.isValid(qt_object):
            raise ValueError(f"Trying to {action} a destroyed {self.className()} object")
        return qt_object

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if reason := members.refusal(type(self), name):
            raise AttributeError(reason)
        qt_object = self._checked()
        if isinstance(qt_object, QtCore.QObject):
            return members.dynamic_attribute(self, qt_object, name)
        raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        declared = members.declared(type(self), name)
        if isinstance(declared, (members.QtProperty, members.HiddenProperty, members.NotEmulated)):
            object.__setattr__(self, name, value)
            return
        if (spoken := members.spoken_kind(declared)) and name in vars(self._wrapper_class()):
            raise AttributeError(f"{spoken} '{name}' can not be overwritten on {self.className()} object")
        try:
            qt_object = object.__getattribute__(self, "_qt")
        except AttributeError:
            qt_object = None
        if isinstance(qt_object, QtCore.QObject) and members.set_dynamic_property(qt_object, name, value):
            return
        if not type(self).__dict__.get("_qt_class_is_own", False):
            object.__setattr__(self, name, value)
            return
        raise AttributeError(
            f"'{name}' does not exist on {type(self).__name__} "
            "and creating new attributes on C++ objects is not allowed"
        )

    def __str__(self) -> str:
        # Of bytes it is what Python code relies on.
        return str(bytes(self._qt.data())) if isinstance(self._qt, QtCore.QByteArray) else repr(self)

    @classmethod
    def _wrapper_class(cls) -> type:
        """The class that Qt's members are in, where the object's is a subclass made in Python."""
        return next((base for base in cls.__mro__ if "_qt_class_is_own" in vars(base)), cls)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PythonQtObject):
            return False
        mine, theirs = self._qt, other._qt
        return mine is theirs or (not isinstance(mine, QtCore.QObject) and bool(mine == theirs))

    def __hash__(self) -> int:
        return hash(id(self._qt))

    def __bool__(self) -> bool:
        try:
            return bool(shiboken6.isValid(object.__getattribute__(self, "_qt")))
        except AttributeError:
            return False

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name} (wrapping {self._qt!r})" if self else f"{name} ({name} at: 0x(nil))"

    def className(self) -> str:
        return self._wrapper_class().__name__

    def inherits(self, name: str) -> bool:
        kind = members.qt_class_of(type(self))
        return nearest_contract(kind).inherits(name) or any(name_in_slicer(base) == name for base in kind.__mro__)

    def delete(self) -> None:
        shiboken6.delete(self._checked())


def _construct(wrapper: type[PythonQtObject], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A new bare Qt object; raises ValueError if no constructor takes the arguments."""
    kind, known = wrapper._qt_class, members.qt_class_of(wrapper)
    name = name_in_slicer(known)
    found = conversion.overloads(known, (known, "__init__"))
    if kwargs:
        raise conversion.keyword_arguments(name, found)
    converted = [to_qt(argument) for argument in args]
    for attempt in [converted] if found is None else conversion.converted_calls(found, converted):
        try:
            return kind(*attempt)
        except (TypeError, ValueError):
            continue
    raise conversion.wrong_arguments(name, found, args)


def _adopt(wrapper: PythonQtObject, qt_object: Any) -> None:
    object.__setattr__(wrapper, "_qt", qt_object)
    # A Python subclass lives as long as its C++ object; a plain wrapper may be made again at any time.
    own = type(wrapper).__dict__.get("_qt_class_is_own", False)
    qt_object.__dict__["_pythonqt_wrapper"] = weakref.ref(wrapper) if own else (lambda: wrapper)


def wrap(qt_object: Any) -> PythonQtObject:
    """The wrapper of a PySide6 object: always the same one while somebody holds it."""
    known = qt_object.__dict__.get("_pythonqt_wrapper")
    wrapper = known() if known else None
    if wrapper is None:
        kind = wrapper_class(type(qt_object))
        wrapper = kind.__new__(kind)
        _adopt(wrapper, qt_object)
    found: PythonQtObject = wrapper
    return found


def wrapper_class(kind: type) -> PythonQtClass:
    """The wrapper class of a PySide6 class, or of an emulated widget class derived from one."""
    if kind in _wrapper_classes:
        return _wrapper_classes[kind]
    if kind in (shiboken6.Shiboken.Object, object):
        return PythonQtObject
    known = known_class(kind)
    if known is not kind:
        _wrapper_classes[kind] = wrapper_class(known)
        return _wrapper_classes[kind]
    contract = nearest_contract(kind)
    namespace = {"__slots__": (), "_qt_class": kind, "_qt_class_is_own": True, **class_namespace(kind)}
    made = PythonQtClass(contract.name, (PythonQtObject,), namespace)
    _wrapper_classes[kind] = made
    return made


def _overridable(base: type, method: str) -> bool:
    """Whether C++ calls a Python subclass's method: virtual functions of Qt's own classes, never slots or ctk's."""
    known = base
    while vars(known).get("_forwards_virtuals", False):
        known = known.__mro__[1]
    contract = nearest_contract(known)
    slots = {slot.partition("(")[0] for slot in contract.slots}
    # Overriding sizeHint, which is a property in Python, has no effect either.
    return (
        "pythonqt_name" not in vars(known)
        and method not in slots
        and method not in contract.properties
        and hasattr(base, method)
    )


def _derived_qt_class(name: str, base: type, namespace: dict[str, Any]) -> type:
    """A PySide6 class whose virtual functions call the methods that a Python subclass of a wrapper defines."""

    def forward(method: str) -> Any:
        def virtual(self: Any, *arguments: Any) -> Any:
            inherited = getattr(super(derived, self), method)
            known = self.__dict__.get("_pythonqt_wrapper")
            try:
                function = getattr(known() if known else None, method)
            except AttributeError:
                # Still being constructed, or already being collected.
                return inherited(*arguments)
            try:
                result = to_qt(function(*[to_python(argument) for argument in arguments]))
            except Exception as error:
                swallowed.collect(f"{name}.{method}()", error)
                return inherited(*arguments)
            # A filter that returns nothing lets the event pass.
            return bool(result) if method in ("event", "eventFilter") else result

        return virtual

    virtuals = {
        method: forward(method)
        for method, function in namespace.items()
        if isinstance(function, types.FunctionType) and not method.startswith("__") and _overridable(base, method)
    }
    derived = type(name, (base,), {**virtuals, "_forwards_virtuals": True})
    return derived


def slot_method(receiver: PythonQtObject, signature: str) -> Any:
    """The function behind `connect(signal, receiver, 'slot(args)')`, or None if there is no such slot."""
    slot = signals.normalized(signature)
    name = slot.partition("(")[0]
    qt_object = receiver._checked()
    contract = nearest_contract(members.qt_class_of(type(receiver)))
    if contract.is_detailed and contract.slots and slot not in {*contract.slots, *contract.signals}:
        return None
    count = slot.count(",") + 1 if not slot.endswith("()") else 0
    if qt_object.metaObject().indexOfMethod(slot) >= 0 and slot not in ("", "()"):
        target = getattr(qt_object, name)
        return lambda *arguments: call(target, name, arguments[:count], {})
    emulated = members.emulated_slot(qt_object, slot)
    return None if emulated is None else (lambda *arguments: emulated(*arguments[:count]))


def qt_attribute(name: str) -> Any:
    """`qt.<name>`; raises AttributeError for what Slicer's qt does not have."""
    refusal = qt5.refusal_of_class(name)
    if refusal:
        raise AttributeError(refusal)
    if reader.class_contract(name) is None and name not in reader.module_names("qt"):
        raise AttributeError(f"module 'qt' has no attribute '{name}': the contract of {reader.version()} lacks it.")
    for module in (QtCore, QtGui, QtWidgets, QtUiTools):
        found = getattr(module, name, None)
        if isinstance(found, type) and not issubclass(found, enum.Enum) and reader.class_contract(name):
            return wrapper_class(found)
    raise NotImplementedError(f"qt.{name} exists in Slicer, but the test runtime does not emulate it.")
