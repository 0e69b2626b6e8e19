"""Writes contract.json.gz, the part of a full contract that the runtime and its tests need.

A full contract is written inside a real Slicer and says what PythonQt shows of each class of Qt, CTK, qMRML and Slicer.
Usage: `python make_contract.py full-contract.json.gz`. The classes that are taken are named in `classes.txt`. The names
that the tool inside Slicer could not reach come from `exceptions.json`, each with its reason.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
# What one of the behaviours that were tried put there itself.
_NOT_OF_QT = {("QLabel", "foo")}
# Objects that were reached through the application, under the class that they have.
_REACHED = ("slicer.app", "slicer.modules.", "slicer.util.", "layoutManager.")
_TYPES = ("type", "PythonQt.PythonQtClassWrapper")
# What a method gives according to PythonQt, unless it is a base class of what comes in fact.
_GIVES = re.compile(r" -> PythonQt\.\w+\.(?!QWidget\b|QObject\b|QLayout\b|QLayoutItem\b|QStyle\b|QAbstract)(\w+)$")
_PLAIN = {"bool": bool, "int": int, "float": float, "str": str}


def _own_name(name: str, found: dict[str, Any]) -> str:
    return str(found["metaChain"][0]) if name.startswith(_REACHED) else name


def _initial(found: dict[str, Any]) -> object:
    """The value that a new object has, for the plain types."""
    kind, text = found.get("get"), str(found.get("value"))
    if kind == "bool":
        return text == "True"
    if kind in ("int", "float"):
        return _PLAIN[kind](text)
    return text[1:-1] if kind == "str" and "\\" not in text and len(text) < 60 else None


def _property(found: dict[str, Any], with_value: bool) -> list[object]:
    """[type, how it can be used, first value]: r read, w written, e an enum, c hidden by a slot of the same name."""
    use = "r" + "w" * bool(found["writable"]) + "e" * bool(found.get("enum")) + "c" * bool(found.get("get_is_callable"))
    entry: list[object] = [found["type"], use]
    value = _initial(found) if with_value else None
    return entry if value is None else [*entry, value]


def _detailed(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """One class as the file holds it, with everything that it inherits."""
    if "methods" not in found:
        methods = {key: value for key, value in found["class_methods"].items() if value[0] != "type"}
        enums = {key: value[0] for key, value in found["class_attributes"].items() if isinstance(value, list)}
        properties = {key: ["", "rw"] for key, value in found["class_attributes"].items() if isinstance(value, str)}
        types = [key for key, value in found["class_methods"].items() if value[0] == "type"]
        return {"chain": [name], "properties": properties, "methods": _methods(methods), "signals": [],
                "signal_names": _signal_names(methods, []),
                "slots": [], "enums": enums, "types": types, "gives": _gives(methods)}  # fmt: skip
    with_values = not name.startswith("Q")
    chain = found.get("metaChain", [name])
    slots = [slot for slot in [*found["meta_slots"], *found["meta_invokable"]] if "[access" not in slot]
    return {
        "chain": chain,
        "properties": {key: _property(value, with_values) for key, value in found["properties"].items()},
        "methods": _methods(found["methods"], slots),
        "signals": found["signals"],
        "signal_names": _signal_names(found["methods"], found["signals"]),
        "slots": slots,
        "enums": {key: value[0] for key, value in found["int_attributes"].items()},
        "types": [key for key, value in found["methods"].items() if value[0] in _TYPES],
        "gives": _gives(found["methods"]),
    }


def _methods(found: dict[str, Any], slots: list[str] | None = None) -> list[str]:
    """The methods that are not among the slots already."""
    named = {slot.partition("(")[0] for slot in slots or ()}
    kinds = ("slot", "function", "descr")
    return [key for key, value in found.items() if any(kind in value[0] for kind in kinds) and key not in named]


def _signal_names(found: dict[str, Any], signals: list[str]) -> list[str]:
    """The signals of which no signature is known."""
    named = {signal.partition("(")[0] for signal in signals}
    return [key for key, value in found.items() if value[0] == "QtCore.Signal" and key not in named]


def _gives(found: dict[str, Any]) -> dict[str, str]:
    """The class of what a method gives, where PythonQt's text says it."""
    matches = {key: _GIVES.search(value[1]) for key, value in found.items() if value[1]}
    return {key: match[1] for key, match in matches.items() if match}


def _kind(value: Any) -> Any:
    """A property without its first value, which differs from class to class; anything else as it is."""
    return value[:2] if isinstance(value, list) else value


def _difference(entry: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """What the class has beyond its base, and `without`: what it has not although the base has."""
    result: dict[str, Any] = {}
    without: dict[str, list[str]] = {}
    for part, values in entry.items():
        if part == "chain":
            continue
        inherited = base[part]
        if isinstance(values, dict):
            new: Any = {key: value for key, value in values.items() if _kind(inherited.get(key)) != _kind(value)}
        else:
            new = [value for value in values if value not in inherited]
        if new:
            result[part] = new
        if gone := [value for value in inherited if value not in values]:
            without[part] = gone
    if without:
        result["without"] = without
    return result


def _named(names: set[str], stored: dict[str, set[str]]) -> dict[str, Any]:
    """A class of which only the names are known, as the difference to the class that is most like it."""
    base = min(stored, key=lambda other: (len(stored[other] ^ names), other))
    entry = {"names": sorted(names - stored[base])}
    if gone := sorted(stored[base] - names):
        entry["without_names"] = gone
    return {"names": sorted(names)} if len(stored[base] ^ names) >= len(names) else {"base": base, **entry}


def _all_names(entry: dict[str, Any]) -> set[str]:
    signatures = {signature.partition("(")[0] for part in ("signals", "slots") for signature in entry[part]}
    return signatures.union(*(entry[part] for part in ("properties", "methods", "signal_names", "enums", "types")))


def _base(name: str, detailed: dict[str, dict[str, Any]]) -> str | None:
    """The class to which the difference is stored: the nearest base, or where none is known the class most like it."""
    chain = [other for other in detailed[name]["chain"] if other != name]
    if chain:
        return next((other for other in chain if other in detailed), None)
    names = _all_names(detailed[name])
    smaller = {other: _all_names(entry) for other, entry in detailed.items() if len(_all_names(entry)) < len(names)}
    best = max(
        smaller, key=lambda other: (len(smaller[other] & names) - len(smaller[other] - names), other), default=None
    )
    return best if best and len(smaller[best] & names) > len(names) / 3 else None


def trimmed(full: dict[str, Any], exceptions: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    """The content of contract.json.gz, with the wanted classes."""
    detailed: dict[str, dict[str, Any]] = {}
    for key, found in full["classes"].items():
        if "methods" in found or "class_methods" in found:
            name = _own_name(key, found)
            if name not in detailed or key.startswith(_REACHED):
                detailed[name] = _detailed(name, found)
    detailed = {name: entry for name, entry in detailed.items() if name in wanted}
    classes: dict[str, Any] = {}
    for name in sorted(detailed):
        chain, base = [other for other in detailed[name]["chain"] if other != name], _base(name, detailed)
        content = _difference(detailed[name], detailed[base]) if base else _without_empty(detailed[name])
        classes[name] = {**({"base": base} if base else {}), "chain": chain, **content}
    names = {
        name: {item for item in found if not item.startswith("_") and (name, item) not in _NOT_OF_QT}
        for name, found in full["class_attrs"].items()
        if name in wanted and name not in detailed
    }
    stored = {name: _all_names(entry) for name, entry in detailed.items()}
    for name in sorted(names, key=lambda key: (len(names[key]), key)):
        classes[name] = _named(names[name], stored)
        stored[name] = names[name]
    modules = {
        "qt": sorted(full["modules"]["qt"]),
        "ctk": sorted(name for name in full["modules"]["ctk"] if name.startswith("ctk")),
        "slicer": sorted(full["modules"]["slicer_q"]),
    }
    behaviours = {
        name: {key: value for key, value in tried.items() if key != "stderr"}
        for name, tried in full["behaviours"].items()
    }
    return {
        "built": full["built"],
        "exceptions": exceptions,
        "modules": modules,
        "behaviours": behaviours,
        "classes": classes,
    }


def _without_empty(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value and key != "chain"}


def write(content: dict[str, Any], path: Path) -> None:
    """The same bytes for the same content."""
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    with path.open("wb") as stream, gzip.GzipFile("", "wb", 9, stream, mtime=0) as packed:
        packed.write(text.encode())


if __name__ == "__main__":
    with gzip.open(sys.argv[1], "rt", encoding="utf-8") as stream:
        content = json.load(stream)
    reasons = json.loads((FOLDER / "exceptions.json").read_text(encoding="utf-8"))
    names = set((FOLDER / "classes.txt").read_text(encoding="utf-8").split())
    write(trimmed(content, reasons, names), FOLDER / "contract.json.gz")
