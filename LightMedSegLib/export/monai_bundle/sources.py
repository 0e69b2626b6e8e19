"""Copies of this library's own source files, as a package of another name that needs nothing else of the library."""

from __future__ import annotations

import ast
import re
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2]
_NAME = LIBRARY.name


def copied_sources(modules: list[str], package: str) -> dict[str, str]:
    """File name (below package) to text: the modules, named as "geometry" or "network.head", and all they import.

    Every import of the library becomes one of package.
    """
    files: dict[str, str] = {"__init__.py": '"""Parts of LightMedSeg that this bundle needs."""\n'}
    waiting = list(modules)
    while waiting:
        path = _module_file(waiting.pop())
        name = path.relative_to(LIBRARY).as_posix()
        if name in files:
            continue
        text = path.read_text(encoding="utf-8")
        files[name] = re.sub(rf"\b{_NAME}\.", f"{package}.", text)
        waiting += _imported(text)
        # A module in a folder needs the folder's __init__.py, and what that imports.
        waiting += [".".join(path.relative_to(LIBRARY).parts[:-1])] if path.parent != LIBRARY else []
    return dict(sorted(files.items()))


def _imported(text: str) -> list[str]:
    """Modules of the library that a source text imports, without those for type checkers only."""
    found = []
    tree = ast.parse(text)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
            top, _, rest = node.module.partition(".")
            if top == _NAME:
                found.append(rest)
    return found


def _module_file(module: str) -> Path:
    path = LIBRARY.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
