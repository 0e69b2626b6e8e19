"""Every text that a user sees can be translated: it goes through _(), as a plain string."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from paths import REPOSITORY

FILES = [REPOSITORY / "LightMedSeg" / "LightMedSeg.py", *sorted((REPOSITORY / "LightMedSegLib" / "gui").rglob("*.py"))]

SHOWN_PROPERTIES = {
    "text", "toolTip", "title", "windowTitle", "placeholderText", "helpText", "acknowledgementText", "statusTip",
    "specialValueText", "suffix", "prefix",
}  # fmt: skip
SHOWN_ARGUMENTS = {
    "errorDisplay", "infoDisplay", "warningDisplay", "confirmOkCancelDisplay", "confirmYesNoDisplay", "addItem",
    "showStatusMessage", "tryWithErrorDisplay", "getOpenFileName", "getSaveFileName", "getExistingDirectory", "_say",
    "setText", "setToolTip", "InputImageError", "ModelPackageError", "DependencyError", "LightMedSegError",
}  # fmt: skip
NOT_FOR_PEOPLE = re.compile(r"[^a-z]*|.*\.zip", re.DOTALL)
"""Without a lower-case letter, or a file name."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in FILES:
        yield path, ast.parse(path.read_text(encoding="utf-8"), str(path))


def is_call_of(node: ast.AST, names: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    return called in names


def plain_texts(node: ast.AST) -> Iterator[str]:
    """Strings in an expression that do not go through _(), translate() or str.format's arguments."""
    if is_call_of(node, {"_", "translate"}):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and not NOT_FOR_PEOPLE.fullmatch(node.value):
        yield node.value
    if isinstance(node, ast.Call):
        # _("... {name}").format(name="file") or ", ".join(...): what is inserted may be anything.
        yield from plain_texts(node.func)
        return
    for child in ast.iter_child_nodes(node):
        yield from plain_texts(child)


def shown_expressions(tree: ast.Module) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in SHOWN_PROPERTIES:
                    yield node.value
        elif is_call_of(node, SHOWN_ARGUMENTS):
            assert isinstance(node, ast.Call)
            yield from (argument for argument in node.args if not isinstance(argument, ast.Starred))
            yield from (keyword.value for keyword in node.keywords if keyword.arg in SHOWN_PROPERTIES)


def test_the_rules_look_at_real_texts() -> None:
    assert len(FILES) > 10
    calls = [node for _, tree in trees() for node in ast.walk(tree) if is_call_of(node, {"_"})]
    assert len(calls) > 60
    assert len([1 for _, tree in trees() for _ in shown_expressions(tree)]) > 30
    assert list(plain_texts(ast.parse('"Hello " + _("you")', mode="eval"))) == ["Hello "]
    assert list(plain_texts(ast.parse('f"Hello {name}"', mode="eval"))) == ["Hello "]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_visible_text_goes_through_the_translation(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for expression in shown_expressions(tree):
        assert list(plain_texts(expression)) == [], f"{path.name}, line {expression.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_plain_strings_are_translated(path: Path) -> None:
    """An f-string or a variable would never be found in the catalogue."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if is_call_of(node, {"_"}):
            assert isinstance(node, ast.Call)
            where = f"{path.name}, line {node.lineno}"
            assert len(node.args) == 1 and not node.keywords, where
            assert isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str), where


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_placeholders_have_names_and_get_their_values(path: Path) -> None:
    """With names, a translation can order them as its language wants."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    formatted = {
        id(node.func.value): {keyword.arg for keyword in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"
    }
    for node in ast.walk(tree):
        if is_call_of(node, {"_"}):
            assert isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant)
            names = {name for _, name, _, _ in Formatter().parse(node.args[0].value) if name is not None}
            assert names == formatted.get(id(node), set()), f"{path.name}, line {node.lineno}"


def test_the_texts_of_the_ui_file_are_translatable() -> None:
    """Slicer translates <string> elements that do not say otherwise; only identifiers may."""
    files = sorted((REPOSITORY / "LightMedSeg" / "Resources" / "UI").glob("*.ui"))
    assert len(files) > 1
    for path in files:
        for kept in re.findall(r'<string notr="true">(.*?)</string>', path.read_text(encoding="utf-8")):
            assert re.fullmatch(r"[A-Za-z]+", kept), kept
