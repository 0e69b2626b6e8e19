"""The runtime can be installed for the tests of another extension: its package has all its files."""

from __future__ import annotations

import ast
import sys
from typing import Any

from paths import REPOSITORY, SUPPORT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = REPOSITORY / "Testing" / "Runtime"
SETTINGS: dict[str, Any] = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_folder_with_code_is_in_the_package() -> None:
    folders = {path.parent.relative_to(FOLDER) for path in FOLDER.rglob("__init__.py")}
    wanted = {".".join(["Runtime", *folder.parts]) for folder in folders}
    assert set(SETTINGS["tool"]["setuptools"]["packages"]) == wanted


def test_every_file_that_the_code_reads_is_in_the_package() -> None:
    packed = set()
    for package, patterns in SETTINGS["tool"]["setuptools"]["package-data"].items():
        folder = FOLDER.joinpath(*package.split(".")[1:])
        packed |= {path for pattern in patterns for path in folder.glob(pattern)}
    files = {path for path in FOLDER.rglob("*.*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert packed == {path for path in files - {FOLDER / "README.md"} if FOLDER / "Sample" not in path.parents}


def test_nothing_else_of_this_repository_is_needed() -> None:
    folders = (REPOSITORY, FOLDER.parent, SUPPORT, FOLDER.parent / "Tools", FOLDER.parent / "Benchmarks")
    ours = {path.stem for folder in folders for path in folder.iterdir()}
    used = set()
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            used |= {name.split(".")[0] for name in names}
    assert used & ours == set(SETTINGS["tool"]["setuptools"]["py-modules"])


def test_it_asks_for_the_versions_that_its_own_tests_use() -> None:
    ours = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = {line.split(";")[0].strip() for line in ours["optional-dependencies"]["test-slicer"]}
    assert pinned <= set(SETTINGS["project"]["dependencies"])
