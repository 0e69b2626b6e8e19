"""Wrapper classes, made from PySide6's: properties are attributes, unknown attributes are refused.

One wrapper class is made for each Qt class when it is first used, with the same inheritance, so that `isinstance`,
`super()` and subclassing work as they do with PythonQt.
"""

from __future__ import annotations

import enum
import threading
import types
import weakref
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from . import members, qt5, signals
from .errors import swallowed
from .values import EnumInt, call, to_python, to_qt, with_enums

_wrapper_classes: dict[type, PythonQtClass] = {}
_OPERATORS = (
    "__add__", "__sub__", "__mul__", "__truediv__", "__neg__", "__lt__", "__le__", "__gt__", "__ge__", "__len__",
    "__getitem__", "__contains__", "__and__", "__or__", "__xor__", "__invert__",
)  # fmt: skip


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
        raise AttributeError(f"{cls.__name__} has no attribute named '{name}'; the runtime knows no such Qt member.")


class PythonQtObject(metaclass=PythonQtClass):
    """Base of all wrappers; `_qt` is the PySide6 object behind."""

    __slots__ = ("__weakref__", "_qt")
    _qt_class = object

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if kwargs:
            raise TypeError(f"{type(self).__name__}() was given keyword arguments; PythonQt takes none.")
        _adopt(self, _construct(type(self)._qt_class, args))

    def _checked(self) -> Any:
        """The Qt object; raises ValueError if it was deleted, RuntimeError in another thread than Qt's."""
        try:
            qt_object = object.__getattribute__(self, "_qt")
        except AttributeError:
            raise ValueError(f"{type(self).__name__}.__init__ of the base class was not called.") from None
        if threading.current_thread() is not threading.main_thread() and isinstance(qt_object, QtCore.QObject):
            raise RuntimeError(f"A {type(self).__name__} was used outside the main thread; Slicer would crash.")
        if not shiboken6.isValid(qt_object):
            raise ValueError(f"Trying to use a destroyed {type(self).__name__} object.")
        return qt_object

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if reason := members.refusal(type(self), name):
            raise AttributeError(reason)
        qt_object = self._checked()
        if isinstance(qt_object, QtCore.QObject):
            return members.dynamic_attribute(self, qt_object, name)
        raise AttributeError(f"{type(self).__name__} has no attribute named '{name}'.")

    def __setattr__(self, name: str, value: Any) -> None:
        declared = members.declared(type(self), name)
        if isinstance(declared, members.QtProperty):
            object.__setattr__(self, name, value)
            return
        if isinstance(declared, (members.QtMethod, members.QtSignal, EnumInt)):
            raise AttributeError(f"'{name}' can not be overwritten on {type(self).__name__} object")
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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PythonQtObject):
            return False
        mine, theirs = self._qt, other._qt
        return mine is theirs or (not isinstance(mine, QtCore.QObject) and bool(mine == theirs))

    def __hash__(self) -> int:
        return hash(id(self._qt))

    def __bool__(self) -> bool:
        return bool(shiboken6.isValid(self._qt))

    def __repr__(self) -> str:
        return f"{type(self).__name__} (wrapping {self._qt!r})"

    def className(self) -> str:
        return str(type(self).__name__)

    def inherits(self, name: str) -> bool:
        return any(kind.__name__ == name for kind in type(self).__mro__)

    def delete(self) -> None:
        shiboken6.delete(self._checked())


def _construct(kind: type, args: tuple[Any, ...]) -> Any:
    """A new bare Qt object; raises ValueError if no constructor takes the arguments."""
    converted = [to_qt(argument) for argument in args]
    for attempt in [converted, *with_enums(kind, converted)]:
        try:
            return kind(*attempt)
        except (TypeError, ValueError):
            continue
    raise ValueError(f"Could not find matching overload of {kind.__name__} for {args!r}.")


def _adopt(wrapper: PythonQtObject, qt_object: Any) -> None:
    object.__setattr__(wrapper, "_qt", qt_object)
    if isinstance(qt_object, QtCore.QObject):
        # A Python subclass lives as long as its C++ object; a plain wrapper may be made again at any time.
        own = type(wrapper).__dict__.get("_qt_class_is_own", False)
        qt_object.__dict__["_pythonqt_wrapper"] = weakref.ref(wrapper) if own else (lambda: wrapper)


def wrap(qt_object: Any) -> PythonQtObject:
    """The wrapper of a PySide6 object: always the same one while somebody holds it."""
    known = qt_object.__dict__.get("_pythonqt_wrapper") if isinstance(qt_object, QtCore.QObject) else None
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
    bases = tuple(wrapper_class(base) for base in kind.__bases__ if issubclass(base, shiboken6.Shiboken.Object))
    bases = tuple(base for base in bases if base is not PythonQtObject) or (PythonQtObject,)
    name = str(vars(kind).get("pythonqt_name", kind.__name__))
    namespace: dict[str, Any] = {
        "__slots__": (),
        "_qt_class": kind,
        "_qt_class_is_own": True,
        **members.class_members(kind),
        **{op: members.operator(op) for op in _OPERATORS if op in vars(kind)},
    }
    namespace.update(members.overrides_for(name))
    made = PythonQtClass(name, bases, namespace)
    _wrapper_classes[kind] = made
    return made


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
                return to_qt(function(*[to_python(argument) for argument in arguments]))
            except Exception as error:
                swallowed.collect(f"{name}.{method}()", error)
                return inherited(*arguments)

        return virtual

    virtuals = {
        method: forward(method)
        for method, function in namespace.items()
        if isinstance(function, types.FunctionType) and not method.startswith("__") and hasattr(base, method)
    }
    derived = type(name, (base,), {**virtuals, "_forwards_virtuals": True})
    return derived


def slot_method(receiver: PythonQtObject, signature: str) -> Any:
    """The function behind `connect(signal, receiver, 'slot(args)')`; raises ValueError if there is no such slot."""
    slot = signals.normalized(signature)
    name = slot.partition("(")[0]
    qt_object = receiver._checked()
    count = slot.count(",") + 1 if not slot.endswith("()") else 0
    if qt_object.metaObject().indexOfMethod(slot) >= 0 and slot not in ("", "()"):
        target = getattr(qt_object, name)
        return lambda *arguments: call(target, name, arguments[:count], {})
    emulated = members.emulated_slot(qt_object, slot)
    if emulated is None:
        raise ValueError(f"Slot '{signature}' does not exist on {receiver.className()}.")
    return lambda *arguments: emulated(*arguments[:count])


def qt_attribute(name: str) -> Any:
    """`qt.<name>`; raises AttributeError for what Slicer's qt does not have."""
    refusal = qt5.refusal_of_class(name)
    if refusal:
        raise AttributeError(refusal)
    for module in (QtCore, QtGui, QtWidgets):
        found = getattr(module, name, None)
        if found is None:
            continue
        if isinstance(found, type) and not issubclass(found, enum.Enum):
            return wrapper_class(found)
    if name == "QUiLoader":
        return wrapper_class(QtUiTools.QUiLoader)
    raise AttributeError(f"The runtime's qt has no '{name}'.")
