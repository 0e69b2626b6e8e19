"""The contract of PythonQt: which names each class of Qt, CTK, qMRML and Slicer has, as seen in a real Slicer."""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PATH = Path(__file__).with_name("contract.json.gz")
_LISTS = ("methods", "signals", "signal_names", "slots", "types")
_NAMED = ("properties", "enums", "methods", "signal_names", "types", "names")
_TABLES = ("properties", "enums", "gives")
# Python adds an underscore to names that it keeps for itself, and PythonQt takes it away.
_KEYWORDS = {"exec_": "exec", "raise_": "raise", "print_": "print"}


@dataclass(frozen=True)
class PropertyContract:
    """One property: its C++ type, and what can be done with it."""

    type: str
    writable: bool
    enum: bool
    hidden_by_slot: bool
    initial: Any


@dataclass(frozen=True)
class ClassContract:
    """The names of one class, with all that it inherits. `names` alone is filled where no more is known."""

    name: str
    chain: tuple[str, ...]
    properties: dict[str, PropertyContract]
    methods: frozenset[str]
    signals: tuple[str, ...]
    signal_names: frozenset[str]
    slots: frozenset[str]
    enums: dict[str, int]
    types: frozenset[str]
    gives: dict[str, str]
    names: frozenset[str]

    @property
    def is_detailed(self) -> bool:
        """Whether it is known of each name what it is."""
        return not self.names

    def kind_of(self, name: str) -> str | None:
        """ "property", "method", "signal", "enum", "enum type", "name" (it is not known what), or None."""
        name = _KEYWORDS.get(name, name)
        for kind, found in (
            ("property", self.properties), ("signal", self.signal_names), ("enum", self.enums),
            ("enum type", self.types), ("method", self.methods), ("name", self.names),
        ):  # fmt: skip
            if name in found:
                return kind
        return None

    def all_names(self) -> set[str]:
        return {*self.properties, *self.signal_names, *self.enums, *self.types, *self.methods, *self.names}

    def inherits(self, name: str) -> bool:
        return name == self.name or name in self.chain


@functools.cache
def _content() -> dict[str, Any]:
    with gzip.open(_PATH, "rt", encoding="utf-8") as stream:
        found: dict[str, Any] = json.load(stream)
    return found


def version() -> str:
    """The Slicer, Qt and PythonQt that the contract was seen in."""
    built = _content()["built"]
    return f"Slicer {built['Slicer'].split(' ')[0]}, {built['Slicer'].split(', ')[2]}"


def built() -> dict[str, str]:
    return dict(_content()["built"])


def behaviours() -> dict[str, dict[str, Any]]:
    """The calls that were tried in the real Slicer, with their results."""
    return dict(_content()["behaviours"])


def module_names(module: str) -> set[str]:
    """The names of `qt` (its functions), `ctk` or `slicer` (its q... classes)."""
    return set(_content()["modules"][module])


def class_names() -> set[str]:
    return {*_content()["classes"], *_content()["exceptions"]["classes"]}


@functools.cache
def class_contract(name: str) -> ClassContract | None:
    """The contract of a class, or None if the contract does not have the class."""
    raw = _flattened(name)
    if raw is None:
        return None
    return ClassContract(
        name=name,
        chain=tuple(raw["chain"]),
        properties={key: _property(value) for key, value in raw["properties"].items()},
        enums=dict(raw["enums"]),
        gives=dict(raw["gives"]),
        signals=tuple(raw["signals"]),
        **{part: frozenset(raw[part]) for part in ("methods", "signal_names", "slots", "types", "names")},
    )


def _property(entry: list[Any]) -> PropertyContract:
    kind, use = entry[:2]
    return PropertyContract(kind, "w" in use, "e" in use, "c" in use, entry[2] if len(entry) > 2 else None)


@functools.cache
def _flattened(name: str) -> dict[str, Any] | None:
    content = _content()
    entry = content["classes"].get(name) or content["exceptions"]["classes"].get(name)
    if entry is None:
        return None
    result: dict[str, Any] = {**{part: [] for part in (*_LISTS, "names")}, **{part: {} for part in _TABLES}}
    base = _flattened(entry["base"]) if "base" in entry else None
    if base is not None and ("names" in entry or "without_names" in entry):
        inherited = {value for part in _NAMED for value in base[part]}
        base = {**result, "names": sorted(inherited - set(entry.get("without_names", ())))}
    without = entry.get("without", {})
    for part in (*_LISTS, "names"):
        inherited_values = base[part] if base else []
        gone = without.get(part, ())
        result[part] = [value for value in inherited_values if value not in gone] + list(entry.get(part, ()))
    for part in _TABLES:
        inherited_table = dict(base[part]) if base else {}
        for value in without.get(part, ()):
            inherited_table.pop(value, None)
        result[part] = {**inherited_table, **entry.get(part, {})}
    # A slot is a method too, and a signature has a name.
    result["methods"] = [*result["methods"], *(slot.partition("(")[0] for slot in result["slots"])]
    result["signal_names"] = [*result["signal_names"], *(one.partition("(")[0] for one in result["signals"])]
    added = content["exceptions"]["members"].get(name, {})
    for part in _LISTS:
        result[part] = [*result[part], *added.get(part, ())]
    result["properties"].update(added.get("properties", {}))
    result["chain"] = entry.get("chain", [entry["base"], *(base or {}).get("chain", [])] if "base" in entry else [])
    if result["names"]:
        result["chain"] = []
    return result
