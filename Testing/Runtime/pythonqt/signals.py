"""Signals of PythonQt: connect by name or signature, arguments cut to the function's own, errors collected."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6 import QtCore

from ..rules import ContractViolationError
from .errors import swallowed
from .values import normalized, to_python

if TYPE_CHECKING:
    from .classes import PythonQtObject

_VARIABLE_ARGUMENTS = 0x04


def argument_limit(function: Callable[..., Any]) -> int | None:
    """How many arguments PythonQt passes: the function's own count, None for all of them.

    Only Python functions and bound Python methods are cut; partial objects, callable objects and functions with
    `*args` get everything.
    """
    if isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType):
        code, bound = function.__func__.__code__, 1
    elif isinstance(function, types.FunctionType):
        code, bound = function.__code__, 0
    else:
        return None
    return None if code.co_flags & _VARIABLE_ARGUMENTS else code.co_argcount - bound


def guarded(function: Callable[..., Any], where: str) -> Callable[..., None]:
    """The function as Qt calls it through PythonQt: cut arguments, and no exception ever comes out."""
    limit = argument_limit(function)

    def relay(*arguments: Any) -> None:
        try:
            function(*[to_python(argument) for argument in arguments][:limit])
        except Exception as error:
            swallowed.collect(where, error)

    return relay


class _Connections:
    """The Python functions connected to one Qt object, kept with the object."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Callable[..., Any], Callable[..., None]]] = []

    @staticmethod
    def of(qt_object: Any) -> _Connections:
        if "_pythonqt_connections" not in qt_object.__dict__:
            qt_object.__dict__["_pythonqt_connections"] = _Connections()
        found: _Connections = qt_object.__dict__["_pythonqt_connections"]
        return found


def _violated(message: str) -> bool:
    """Print as PythonQt does, and fail the test at its end; the call itself returns False."""
    print(message, file=sys.stderr)
    swallowed.collect("a connection", ContractViolationError(message))
    return False


def has_signal(owner: PythonQtObject, signature: str) -> bool:
    """Whether the contract, or for classes without details Qt itself, has the signal.

    Raises NotImplementedError for one that Slicer has and the runtime has not.
    """
    from .contracted import nearest_contract
    from .members import qt_class_of

    qt_object = owner._checked()
    known = signature in emulated_signals(qt_object) or qt_object.metaObject().indexOfSignal(signature) >= 0
    contract = nearest_contract(qt_class_of(type(owner)))
    if not contract.signals:
        return known
    in_slicer = signature in {normalized(signal) for signal in contract.signals}
    if in_slicer and not known:
        raise NotImplementedError(f"{contract.name} has the signal {signature}, but the test runtime does not.")
    return in_slicer


def emulated_signals(qt_object: Any) -> tuple[str, ...]:
    """Signatures that an emulated widget class declares; empty for Qt's own classes."""
    return tuple(
        normalized(signature)
        for kind in type(qt_object).__mro__
        for signature in vars(kind).get("emulated_signals", ())
    )


def connect(owner: PythonQtObject, signature: str, *target: Any) -> bool:
    """`owner.connect(signature, function)` or `owner.connect(signature, receiver, slotSignature)`.

    As in PythonQt an unknown signal or slot only prints a warning and gives False; the test fails at its end.
    """
    if not isinstance(signature, str):
        raise ValueError(f"connect() takes a signal signature such as 'clicked()', not {signature!r}.")
    signal = normalized(signature)
    if not has_signal(owner, signal):
        return _violated(f"PythonQt: QObject::connect() signal '{signature}' does not exist on {owner.className()}")
    function = target_function(signature, target)
    if function is None:
        # What is no function is taken and never called; a slot that does not exist is not connected.
        return len(target) == 1
    qt_object = owner._checked()
    relay = guarded(function, f"a slot of {owner.className()}.{signal}")
    if signal not in emulated_signals(qt_object):
        QtCore.QObject.connect(qt_object, QtCore.SIGNAL(signal), relay)
    _Connections.of(qt_object).entries.append((signal, function, relay))
    return True


def target_function(signature: str, target: tuple[Any, ...]) -> Callable[..., Any] | None:
    """The function that the signal calls; None, and the test fails at its end, where there is none."""
    from .classes import PythonQtObject, slot_method

    if len(target) == 2 and isinstance(target[0], PythonQtObject) and isinstance(target[1], str):
        found = slot_method(target[0], target[1])
        if found is None:
            _violated(f"QObject::connect: No such slot {target[0].className()}::{target[1]}")
        return found
    if len(target) == 1 and callable(target[0]):
        function: Callable[..., Any] = target[0]
        return function
    _violated(
        f"connect('{signature}', ...) needs a function, or a receiver and the signature of a slot, not {target!r}. "
        "Slicer would take it without a word; refused by the test runtime's own rule."
    )
    return None


def disconnect(owner: PythonQtObject, signature: str, *target: Any) -> bool:
    """Undo `connect`; True if there was such a connection. For an unknown signal the test fails at its end."""
    signal = normalized(signature)
    if not has_signal(owner, signal):
        return _violated(f"disconnect: signal '{signature}' does not exist on {owner.className()}")
    qt_object = owner._checked()
    function = target_function(signature, target) if target else None
    connections = _Connections.of(qt_object)
    for entry in [e for e in connections.entries if e[0] == signal and (function is None or e[1] == function)]:
        connections.entries.remove(entry)
        if signal not in emulated_signals(qt_object):
            QtCore.QObject.disconnect(qt_object, QtCore.SIGNAL(signal), entry[2])
        if function is not None:
            return True
    return function is None


def emit_emulated(qt_object: Any, signature: str, *arguments: Any) -> None:
    """Emit a signal that an emulated widget class declares, unless its signals are blocked."""
    signal = normalized(signature)
    if signal not in emulated_signals(qt_object):
        raise AssertionError(f"{type(qt_object).__name__} does not declare the signal {signal}.")
    if qt_object.signalsBlocked():
        return
    for name, _, relay in list(_Connections.of(qt_object).entries):
        if name == signal:
            relay(*arguments)


class BoundSignal:
    """`widget.clicked`: connect, disconnect, emit; stands for the first overload, as in PythonQt."""

    def __init__(self, owner: PythonQtObject, name: str, signature: str) -> None:
        self._owner, self._name, self._signature = owner, name, signature

    def connect(self, function: Callable[..., Any]) -> bool:
        return connect(self._owner, self._signature, function)

    def disconnect(self, *function: Callable[..., Any]) -> bool:
        return disconnect(self._owner, self._signature, *function)

    def __call__(self, *arguments: Any) -> None:
        self.emit(*arguments)

    def emit(self, *arguments: Any) -> None:
        qt_object = self._owner._checked()
        if self._signature in emulated_signals(qt_object):
            emit_emulated(qt_object, self._signature, *arguments)
        else:
            from .values import call

            overload = self._signature.partition("(")[2].removesuffix(")")
            call(getattr(qt_object, self._name)[overload].emit, self._name, arguments, {})

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"The signal '{self._name}' of {self._owner.className()} has no attribute '{name}'.")

    def __getitem__(self, overload: object) -> Any:
        raise TypeError(f"'QtCore.Signal' object is not subscriptable; use connect('{self._name}(...)', function).")
