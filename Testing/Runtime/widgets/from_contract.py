"""Stand-ins made from the contract alone: properties are kept, changes signalled; what a slot does is not emulated.

So a panel may use any widget of CTK, qMRML or Slicer that the contract has, and the properties of the emulated ones
that their stand-ins do not know.
"""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from ..contract.reader import ClassContract, PropertyContract, class_contract
from ..pythonqt.meta import property_names, signal_signatures
from .emulated import Emulated

_FIRST: dict[str, Any] = {"bool": False, "int": 0, "double": 0.0, "float": 0.0, "QString": "", "QStringList": []}
_KINDS: dict[str, Any] = {"bool": bool, "int": int, "double": float, "float": float, "QString": str}


def widget_class(name: str) -> type | None:
    """A stand-in of a widget class that has none of its own, or None if the contract has no such widget."""
    contract = class_contract(name)
    if contract is None or "QObject" not in contract.chain:
        return None
    # Qt's own virtual functions work as in the nearest base that Qt has.
    base: type = next(
        found
        for other in contract.chain
        for module in (QtWidgets, QtGui, QtCore)
        if isinstance(found := getattr(module, other, None), type)
    )
    known = {signature.partition("(")[0] for signature in signal_signatures(base)}
    signals = tuple(signal for signal in contract.signals if signal.partition("(")[0] not in known)
    made = type(name, (Emulated, base), {"pythonqt_name": name, "emulated_signals": signals})
    return completed(made)


def completed(kind: type) -> type:
    """The class with the contract's properties that it lacks; each is kept and its change is signalled."""
    contract = class_contract(vars(kind)["pythonqt_name"])
    if contract is None:
        return kind
    known = property_names(kind)
    missing = {
        name: entry for name, entry in contract.properties.items() if name not in known and _first(entry) is not None
    }
    if not missing:
        return kind
    values = {name: _kept(contract, name, entry) for name, entry in missing.items()}
    namespace = {"pythonqt_name": contract.name, "pythonqt_completed": True, "__module__": kind.__module__, **values}
    # PySide takes two classes of one name for the same class.
    return type(f"Whole{kind.__name__}", (kind,), namespace)


def _first(entry: PropertyContract) -> Any:
    """The value of a new object; None for a type that cannot be kept."""
    value = 0 if entry.enum else _FIRST.get(entry.type)
    return value if entry.initial is None else entry.initial


def _kept(contract: ClassContract, name: str, entry: PropertyContract) -> Any:
    store = f"_kept_{name}"
    wanted = f"{name}Changed("
    signal = next((signal for signal in contract.signals if signal.startswith(wanted)), None)

    def read(self: Any) -> Any:
        return self.__dict__.get(store, _first(entry))

    def write(self: Any, value: Any) -> None:
        changed = read(self) != value
        self.__dict__[store] = list(value) if entry.type == "QStringList" else value
        if changed and signal in getattr(type(self), "emulated_signals", ()):
            self.emit_signal(signal, value)

    kind = "QStringList" if entry.type == "QStringList" else int if entry.enum else _KINDS.get(entry.type, int)
    return QtCore.Property(kind, read, write) if entry.writable else QtCore.Property(kind, read)
