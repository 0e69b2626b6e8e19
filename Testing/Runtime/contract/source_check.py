"""Finds in Python source what the contract does not allow: names, assignments, calls, signals, enum values.

Only objects whose class the text says are checked: made by `qt.X()`, named in the .ui file, annotated, or handed on.
"""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .reader import ClassContract, class_contract, module_names
from .source_types import CLASS, UI, Source, TypeTable, own_nodes

_OF_EVERY_OBJECT = {"className", "inherits", "delete", "help", "name"}


@dataclass(frozen=True)
class Finding:
    """One place that the contract does not allow."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Report:
    """What was found, and how many places of each file were held against the contract."""

    findings: list[Finding]
    checked_in: dict[Path, int]

    @property
    def checked(self) -> int:
        """The places of all files."""
        return sum(self.checked_in.values())


def ui_classes(path: Path) -> dict[str, str]:
    """The class of each widget in a .ui file, by object name."""
    widgets = ElementTree.parse(path).getroot().iter("widget")
    return {widget.get("name", ""): widget.get("class", "") for widget in widgets}


def check_files(paths: list[Path], ui: dict[str, str]) -> Report:
    return check([Source.of(path, path.read_text(encoding="utf-8")) for path in paths], ui)


def check(sources: list[Source], ui: dict[str, str]) -> Report:
    """Hold every attribute, assignment, call and connection of known classes against the contract."""
    types = TypeTable(sources, ui)
    findings: dict[tuple[Path, int, int], Finding] = {}
    checked = {source.path: 0 for source in sources}
    for source in sources:
        for owner, function in source.functions:
            nodes = own_nodes(function)
            called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
            for node in nodes:
                if isinstance(node, ast.ClassDef):
                    problems = list(_overrides(node))
                elif isinstance(node, ast.Attribute):
                    kinds = types.of(node.value, owner, function)
                    checked[source.path] += any(
                        class_contract(kind.removeprefix(CLASS)) or kind == UI for kind in kinds
                    )
                    problems = [text for kind in kinds for text in _attribute(node, kind, id(node) in called, ui)]
                    problems += _module_name(node)
                elif isinstance(node, ast.Call):
                    problems = list(_call(node, types, owner, function))
                else:
                    continue
                for text in problems:
                    findings[source.path, node.lineno, hash(text)] = Finding(source.path, node.lineno, text)
    return Report(sorted(findings.values(), key=lambda found: (str(found.path), found.line)), checked)


def _module_name(node: ast.Attribute) -> Iterator[str]:
    """`qt.X` and `ctk.X`, where the contract has no X."""
    if isinstance(node.value, ast.Name) and node.value.id in ("qt", "ctk"):
        module = node.value.id
        if class_contract(node.attr) is None and node.attr not in module_names(module):
            yield f"module '{module}' has no attribute '{node.attr}'"


def _attribute(node: ast.Attribute, kind: str, is_called: bool, ui: dict[str, str]) -> Iterator[str]:
    if kind == UI:
        if node.attr not in ui:
            yield f"the .ui file has no widget '{node.attr}'"
        return
    of_class = kind.startswith(CLASS)
    contract = class_contract(kind.removeprefix(CLASS))
    if contract is None or node.attr in _OF_EVERY_OBJECT:
        return
    found = contract.kind_of(node.attr)
    if isinstance(node.ctx, ast.Store) and not of_class:
        yield from _assignment(contract, node.attr, found)
    elif found is None:
        yield f"{contract.name} has no attribute named '{node.attr}'"
    elif found == "property" and is_called and not contract.properties[node.attr].hidden_by_slot:
        yield f"'{node.attr}' of {contract.name} is a property and cannot be called"


def _assignment(contract: ClassContract, name: str, found: str | None) -> Iterator[str]:
    if found == "property":
        if contract.properties[name].hidden_by_slot:
            yield f"Slot '{name}' can not be overwritten on {contract.name} object"
        elif not contract.properties[name].writable:
            yield f"Property '{name}' of {contract.name} object is not writable"
    elif found is None:
        yield f"'{name}' does not exist on {contract.name} and creating new attributes on C++ objects is not allowed"
    elif found != "name":
        spoken = {"signal": "Signal", "method": "Slot", "enum": "EnumValue", "enum type": "EnumValue"}[found]
        yield f"{spoken} '{name}' can not be overwritten on {contract.name} object"


def _call(node: ast.Call, types: TypeTable, owner: str, function: ast.AST) -> Iterator[str]:
    if isinstance(node.func, ast.Name) and node.func.id == "isinstance":
        yield from _isinstance(node)
    if not isinstance(node.func, ast.Attribute):
        return
    made = {kind for kind in types.of(node.func, owner, function) if kind.startswith(CLASS)}
    kinds = types.of(node.func.value, owner, function) - {UI}
    if node.keywords and (made or any(_is_method(kind, node.func.attr) for kind in kinds)):
        yield f"{node.func.attr}() is called with keyword arguments, but called slot does not support kwargs"
    if node.func.attr in ("connect", "disconnect") and node.args:
        for kind in kinds:
            yield from _connection(node, kind, types, owner, function)


def _is_method(kind: str, name: str) -> bool:
    contract = class_contract(kind.removeprefix(CLASS))
    return contract is not None and contract.kind_of(name) in ("method", "name")


def _connection(node: ast.Call, kind: str, types: TypeTable, owner: str, function: ast.AST) -> Iterator[str]:
    contract, first = class_contract(kind), node.args[0]
    if contract is None or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return
    if contract.signals and normalized(first.value) not in contract.signals:
        yield f"signal '{first.value}' does not exist on {contract.name}"
    if len(node.args) == 3 and isinstance(node.args[2], ast.Constant):
        slot = str(node.args[2].value)
        for receiver in types.of(node.args[1], owner, function):
            target = class_contract(receiver)
            if target and target.slots and normalized(slot) not in {*target.slots, *target.signals}:
                yield f"slot '{slot}' does not exist on {target.name}"


def _isinstance(node: ast.Call) -> Iterator[str]:
    for argument in node.args[1:]:
        for part in argument.elts if isinstance(argument, ast.Tuple) else [argument]:
            name = ast.unparse(part)
            if name.startswith(("qt.Q", "ctk.ctk", "slicer.qMRML")):
                yield f"isinstance(..., {name}) is False for derived classes; use inherits()"


def _overrides(node: ast.ClassDef) -> Iterator[str]:
    """Functions of a ctk or qMRML class that are defined again, and never called."""
    for base in node.bases:
        module, _, name = ast.unparse(base).rpartition(".")
        contract = class_contract(name) if module in ("ctk", "slicer") else None
        for item in node.body:
            if contract and isinstance(item, ast.FunctionDef) and contract.kind_of(item.name) in ("method", "property"):
                yield f"{node.name}.{item.name} is ignored: Python cannot override functions of {name}"


def normalized(signature: str) -> str:
    """A signature without spaces, const and references, as Qt's meta objects spell it."""
    name, _, rest = signature.partition("(")
    arguments = [part.replace("const ", "").replace("&", "").replace(" ", "") for part in rest.rstrip(") ").split(",")]
    return f"{name.strip()}({','.join(arguments)})" if "(" in signature else signature


def check_ui(path: Path) -> list[str]:
    """What a .ui file has that the contract has not: classes, properties, signals and slots."""
    root = ElementTree.parse(path).getroot()
    classes = {name: class_contract(kind) for name, kind in ui_classes(path).items()}
    problems = [f"{name}: no such class" for name, contract in classes.items() if contract is None]
    for widget in root.iter("widget"):
        contract = classes[widget.get("name", "")]
        for item in widget.findall("property"):
            name = item.get("name", "")
            if contract and item.get("stdset") != "0" and contract.kind_of(name) not in ("property", "name"):
                problems.append(f"{widget.get('name')}: {contract.name} has no property '{name}'")
    for connection in root.iter("connection"):
        texts = [connection.findtext(tag) or "" for tag in ("sender", "signal", "receiver", "slot")]
        sender, receiver = classes.get(texts[0]), classes.get(texts[2])
        if sender and sender.signals and normalized(texts[1]) not in sender.signals:
            problems.append(f"{texts[0]}: {sender.name} has no signal {texts[1]}")
        if receiver and receiver.slots and normalized(texts[3]) not in receiver.slots:
            problems.append(f"{texts[2]}: {receiver.name} has no slot {texts[3]}")
    return problems
