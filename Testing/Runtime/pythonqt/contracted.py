"""The namespace of a wrapper class: what PySide or an emulated class has, held against the contract."""

from __future__ import annotations

import enum
import functools
from typing import Any

import shiboken6
from PySide6 import QtCore

from ..contract.reader import ClassContract, class_contract
from . import members, qt5
from .members import EnumType, HiddenProperty, NotEmulated, QtMethod, QtProperty, QtSignal, Refused
from .meta import own_property_names, property_names, signal_signatures
from .values import EnumInt, normalized

# Members that every object of PythonQt has; the wrapper's base class has them.
_OF_EVERY_OBJECT = {"className", "inherits", "delete", "help"}
_OPERATORS = (
    "__add__", "__sub__", "__mul__", "__truediv__", "__neg__", "__lt__", "__le__", "__gt__", "__ge__", "__len__",
    "__getitem__", "__contains__", "__and__", "__or__", "__xor__", "__invert__",
)  # fmt: skip


def name_in_slicer(kind: type) -> str:
    """The name under which Slicer knows the class."""
    return str(vars(kind).get("pythonqt_name", kind.__name__))


def known_class(kind: type) -> type:
    """The class itself, or its nearest base that the contract has: as that PythonQt wraps an unknown class."""
    names = [(base, name_in_slicer(base)) for base in kind.__mro__ if base is not object]
    name = next((name for _, name in names if class_contract(name)), None)
    if name is None:
        raise AttributeError(f"The contract has no class '{name_in_slicer(kind)}', so Slicer's Python may not have it.")
    same = [base for base, other in names if other == name]
    # A stand-in that the contract has completed counts, and not the one that it was made from.
    return next((base for base in same if "pythonqt_completed" in vars(base)), same[-1])


@functools.cache
def nearest_contract(kind: type) -> ClassContract:
    """The contract of the class, or of its nearest base that has one."""
    found = class_contract(name_in_slicer(known_class(kind)))
    assert found is not None
    return found


def class_namespace(kind: type) -> dict[str, Any]:
    """All members of a class, its inherited ones included: PythonQt's classes do not inherit from each other."""
    contract = nearest_contract(kind)
    found: dict[str, Any] = {}
    overrides: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, shiboken6.Shiboken.Object) or base.__module__.startswith("Runtime"):
            found.update(_own_members(base))
            overrides.update(members.overrides_for(name_in_slicer(base)))
    operators = {op: members.operator(op) for op in _OPERATORS if any(op in vars(base) for base in kind.__mro__[:-1])}
    if contract.name == "QByteArray":
        operators.pop("__len__", None)
    if "exec_" in overrides:
        overrides["exec"] = overrides["exec_"]
    return {**operators, **_refusals(kind, contract), **_contracted(contract, {**found, **overrides})}


def _contracted(contract: ClassContract, found: dict[str, Any]) -> dict[str, Any]:
    """Only names of the contract, each of the kind that the contract says; what is missing says that it is."""
    result: dict[str, Any] = {}
    for name in contract.all_names() - _OF_EVERY_OBJECT:
        spelled = next((other for other in (name, f"{name}_") if other in found), name)
        result[spelled] = _as_contracted(contract, name, found.get(spelled))
    if "objectName" in result and contract.kind_of("name") is None:
        result["name"] = result["objectName"]
    if "exec" in result:
        result["exec_"] = result.pop("exec")
        result["exec"] = Refused(f"Write {contract.name}.exec_(), which every Slicer has.")
    return result


def _as_contracted(contract: ClassContract, name: str, member: Any) -> Any:
    kind = contract.kind_of(name)
    if kind == "property":
        entry = contract.properties[name]
        if entry.hidden_by_slot:
            return HiddenProperty(name, getattr(member, "__func__", member))
        if isinstance(member, (QtProperty, QtMethod)):
            return QtProperty(name, entry)
    elif kind == "enum":
        same = isinstance(member, int) and int(member) == contract.enums[name]
        return member if same else int(contract.enums[name])
    elif kind == "enum type":
        return member if isinstance(member, EnumType) else EnumType(None, f"{contract.name}.{name}")
    elif kind == "method":
        if isinstance(member, QtProperty):
            return QtMethod(name)
    elif kind == "signal":
        signatures = [signature for signature in contract.signals if signature.partition("(")[0] == name]
        if isinstance(member, QtSignal) and signatures:
            return QtSignal(name, normalized(signatures[0]))
    if member is None:
        return NotEmulated(contract.name, name)
    return member


@functools.cache
def _own_members(kind: type) -> dict[str, Any]:
    """The members that this class itself declares."""
    found: dict[str, Any] = {}
    is_qobject = issubclass(kind, QtCore.QObject)
    properties = property_names(kind) if is_qobject else set()
    own = own_property_names(kind) if is_qobject else []
    for name, value in list(vars(kind).items()):
        if name.startswith("_") or name in properties:
            continue
        if isinstance(value, type) and issubclass(value, enum.Enum):
            found[name] = EnumType(value, f"{kind.__name__}.{name}")
            found.update({member: EnumInt(item) for member, item in value.__members__.items() if member not in found})
        elif isinstance(value, QtCore.Signal):
            found[name] = QtSignal(name, _first_overload(kind, name))
        elif not kind.__module__.startswith("PySide6"):
            # Of an emulated class only what stands for a C++ slot or Q_INVOKABLE method can be called.
            if getattr(value, "invokable", None):
                found[name] = QtMethod(name)
        elif callable(value) or isinstance(value, (staticmethod, classmethod)):
            found[name] = QtMethod(name)
    found.update({name: QtProperty(name) for name in own})
    for signature in reversed(vars(kind).get("emulated_signals", ())):
        name = signature.partition("(")[0]
        found[name] = QtSignal(name, normalized(signature))
    found.update(vars(kind).get("emulated_enums", {}))
    return found


def _refusals(kind: type, contract: ClassContract) -> dict[str, Any]:
    """A sentence for each name of Qt 6 that the contract does not have."""
    return {
        name: Refused(f"{base.__name__}.{name} exists only in Qt 6; Slicer 5.12 is built with Qt 5.15.")
        for base in kind.__mro__
        for name in qt5.qt6_only_members(base.__name__)
        if contract.kind_of(name) is None
    }


def _first_overload(kind: type, name: str) -> str:
    """The signature that `object.signal.connect` takes: the first one the class declares."""
    return next(signature for signature in signal_signatures(kind) if signature.partition("(")[0] == name)
