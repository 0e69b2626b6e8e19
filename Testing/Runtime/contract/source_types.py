"""Which classes of Qt, CTK, qMRML and Slicer the expressions of some source files have, as far as the text says."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from .reader import class_contract, module_names

UI = "@ui"
CLASS = "@class:"
_SLICER = {"app": "qSlicerApplication"}
_GIVEN = {"mainWindow": "qSlicerAppMainWindow", "settings": "QSettings"}
_MODULE = "@module:"
_MODULE_PARTS = {("SegmentEditor", "editor"): "qMRMLSegmentEditorWidget"}
"""The widgets of Slicer's own modules that others reach into, by module and attribute."""
Types = set[str]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Source:
    """One file, and its functions with the class that they are in."""

    path: Path
    tree: ast.Module
    functions: list[tuple[str, Function | ast.Module]] = field(default_factory=list)

    @staticmethod
    def of(path: Path, text: str) -> Source:
        source = Source(path, ast.parse(text))
        source.functions = [("", source.tree)]
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef):
                source.functions += [(node.name, item) for item in node.body if isinstance(item, Function)]
        methods = {id(function) for _, function in source.functions}
        source.functions += [
            ("", node) for node in ast.walk(source.tree) if isinstance(node, Function) and id(node) not in methods
        ]
        return source


class TypeTable:
    """The classes found so far; `learn` until nothing new is found."""

    def __init__(self, sources: list[Source], ui: dict[str, str]) -> None:
        self._sources, self._ui = sources, ui
        self._locals: dict[tuple[int, str], Types] = defaultdict(set)
        self._attributes: dict[tuple[str, str], Types] = defaultdict(set)
        self._parameters: dict[str, tuple[list[str], int]] = {}
        self._find_parameters()
        for _ in range(4):
            for source in sources:
                for owner, function in source.functions:
                    for node in own_nodes(function):
                        self._learn(node, owner, function)

    def _find_parameters(self) -> None:
        """The parameters of each function, and of each class's constructor, whose name is used once."""
        several: set[str] = set()
        for source in self._sources:
            for owner, function in source.functions:
                if isinstance(function, ast.Module):
                    continue
                names = [argument.arg for argument in function.args.args]
                name = owner if function.name == "__init__" else function.name if not owner else ""
                several |= {name} if name in self._parameters else set()
                if name:
                    self._parameters[name] = (names[1:] if owner else names, id(function))
        for name in several:
            del self._parameters[name]

    def of(self, node: ast.AST, owner: str, function: ast.AST) -> Types:
        """The classes of an expression: names of classes, UI, or CLASS + name for the class itself."""
        if isinstance(node, ast.Name):
            return {UI} if node.id == "ui" else set(self._locals[id(function), node.id])
        if isinstance(node, ast.Attribute):
            return self._of_attribute(node, owner, function)
        if isinstance(node, ast.Call):
            return self._of_call(node, owner, function)
        if isinstance(node, ast.IfExp):
            return self.of(node.body, owner, function) | self.of(node.orelse, owner, function)
        if isinstance(node, ast.BoolOp):
            return set().union(*(self.of(value, owner, function) for value in node.values))
        return self.of(node.value, owner, function) if isinstance(node, ast.NamedExpr) else set()

    def _of_attribute(self, node: ast.Attribute, owner: str, function: ast.AST) -> Types:
        if isinstance(node.value, ast.Name):
            name = node.value.id
            if name in ("qt", "ctk") or (name == "slicer" and node.attr in module_names("slicer")):
                return {CLASS + node.attr}
            if name == "slicer" and node.attr in _SLICER:
                return {_SLICER[node.attr]}
            if name == "self" and (found := self._attributes[owner, node.attr]):
                return set(found)
        if node.attr in ("ui", "_ui"):
            return {UI}
        found = set()
        for kind in self.of(node.value, owner, function):
            if kind.startswith(_MODULE):
                part = _MODULE_PARTS.get((kind.removeprefix(_MODULE), node.attr))
                found |= {part} if part else set()
            elif kind == UI:
                found |= {self._ui[node.attr]} if node.attr in self._ui else set()
            elif contract := class_contract(kind):
                entry = contract.properties.get(node.attr)
                found |= {entry.type} if entry and class_contract(entry.type) else set()
        return found

    def _of_call(self, node: ast.Call, owner: str, function: ast.AST) -> Types:
        if not isinstance(node.func, ast.Attribute):
            return set()
        if isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "util":
            if node.func.attr == "getModuleWidget" and node.args and isinstance(node.args[0], ast.Constant):
                return {f"{_MODULE}{node.args[0].value}"}
            return {_GIVEN[node.func.attr]} if node.func.attr in _GIVEN else set()
        made = {kind.removeprefix(CLASS) for kind in self.of(node.func, owner, function) if kind.startswith(CLASS)}
        for kind in self.of(node.func.value, owner, function):
            contract = class_contract(kind.removeprefix(CLASS))
            if contract and (given := contract.gives.get(node.func.attr)) and class_contract(given):
                made.add(given)
        return made

    def _learn(self, node: ast.AST, owner: str, function: ast.AST) -> None:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self._assign(target, node.value, owner, function)
        elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            self._assign(node.target, node.value, owner, function)
        elif isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.iter, (ast.Tuple, ast.List)):
            for value in node.iter.elts:
                self._assign(node.target, value, owner, function)
        elif isinstance(node, Function):
            for argument in node.args.args:
                if argument.annotation is not None:
                    self._locals[id(node), argument.arg] |= self._annotated(argument.annotation)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._parameters:
            names, called = self._parameters[node.func.id]
            for name, value in zip(names, node.args, strict=False):
                self._locals[called, name] |= self.of(value, owner, function)

    def _annotated(self, annotation: ast.expr) -> Types:
        text = ast.unparse(annotation).strip("'\"")
        module, _, name = text.rpartition(".")
        return {name} if module in ("qt", "ctk", "slicer") and class_contract(name) else set()

    def _assign(self, target: ast.AST, value: ast.AST, owner: str, function: ast.AST) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for part, item in zip(target.elts, value.elts, strict=True):
                self._assign(part, item, owner, function)
            return
        found = {kind for kind in self.of(value, owner, function) if not kind.startswith(CLASS)}
        if isinstance(target, ast.Name):
            self._locals[id(function), target.id] |= found
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            self._attributes[owner, target.attr] |= found


def own_nodes(function: ast.AST) -> list[ast.AST]:
    """The nodes of a function or module, without those of the functions and classes inside."""
    found: list[ast.AST] = [function]
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop(0)
        found.append(node)
        if not isinstance(node, Function):
            waiting.extend(ast.iter_child_nodes(node))
    return found
