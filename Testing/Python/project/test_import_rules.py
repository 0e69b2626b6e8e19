"""Who may import what: each room only rooms below it, torch only when it is needed, nothing unsafe, no circle.

GUI (LightMedSeg, LightMedSegLib/gui) -> bridge (LightMedSegLib/mrml) -> library;
command line (LightMedSegLib/cli) -> library, whose rooms stand one above the other.
"""

from __future__ import annotations

import ast
import functools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from paths import REPOSITORY
from patience import limit

LIBRARY = REPOSITORY / "LightMedSegLib"
SLICER_PACKAGES = {"slicer", "vtk", "vtkmodules", "mrml", "SegmentStatistics"}
GUI_PACKAGES = {"qt", "ctk", "PythonQt", "SampleData", "PyTorchUtils"}
UNSAFE_PACKAGES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
NETWORK_PACKAGES = {"urllib", "http", "ftplib", "smtplib", "requests", "httpx", "urllib3"}
RUNTIME_PACKAGES = {"LightMedSegLib", "numpy", "SimpleITK", "torch", *sys.stdlib_module_names}
OPTIONAL_PACKAGES = {
    "PIL",
    "distributed",
    "highdicom",
    "matplotlib",
    "monai",
    "onnx",
    "onnxscript",
    "pathspec",
    "pydicom",
    "tomli",
    "triton",
}

ROOMS = (
    "core",
    "storage",
    "network",
    "io",
    "model",
    "checks",
    "doubt",
    "inference",
    "interaction",
    "evaluation",
    "learning",
    "training",
    "finetuning",
    "export",
    "cohorts",
)
"""The library from the ground up: a room may use itself and the rooms before it."""

MAY_IMPORT = {room: {"", *ROOMS[: place + 1]} for place, room in enumerate(ROOMS)} | {
    "": {"", *ROOMS, "cli"},
    "cli": {"", *ROOMS, "cli"},
    "mrml": {"", *ROOMS, "mrml"},
    "gui": {"", *ROOMS, "mrml", "gui"},
}
"""Folder of LightMedSegLib to the folders that it may use; "" is the package itself."""

LARGEST_FOLDER = 16
"""Modules of one folder, beside its __init__.py."""

PACKAGES_OF = {"mrml": SLICER_PACKAGES, "gui": SLICER_PACKAGES | GUI_PACKAGES}
"""What a folder may import besides the packages of the library."""

LIGHT_MODULES = [
    "LightMedSegLib",
    "LightMedSegLib.cli",
    "LightMedSegLib.evaluation.comparison",
    "LightMedSegLib.core.devices",
    "LightMedSegLib.finetuning.job.from_files",
    "LightMedSegLib.interaction.completer",
    "LightMedSegLib.interaction.session",
    "LightMedSegLib.io.input_volumes",
    "LightMedSegLib.interaction.completer",
    "LightMedSegLib.interaction.prompt_file",
    "LightMedSegLib.interaction.session",
    "LightMedSegLib.core.labels",
    "LightMedSegLib.evaluation.metrics",
    "LightMedSegLib.model.card",
    "LightMedSegLib.model.package",
    "LightMedSegLib.model.store",
    "LightMedSegLib.io.montage",
    "LightMedSegLib.export.onnx_file",
    "LightMedSegLib.io.sample_data",
    "LightMedSegLib.inference.segmentation",
    "LightMedSegLib.io.segmentation_files",
    "LightMedSegLib.io.volume_files",
]


def python_files() -> list[Path]:
    return sorted(LIBRARY.rglob("*.py"))


def room(parts: Sequence[str]) -> str:
    """The folder of a file or module below LightMedSegLib."""
    return parts[0] if parts and parts[0] in MAY_IMPORT else ""


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Every imported module of a file, and whether it is imported as soon as the file is."""
    return tuple(_imports_below(parsed(path), at_once=True))


def _imports_below(node: ast.AST, at_once: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((name.name, at_once) for name in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "relative imports hide the layer"
            # A name imported from the package itself may be a module: "from LightMedSegLib import cli".
            yield from ((f"{child.module}.{name.name}", at_once) for name in child.names)
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            yield from _imports_below(ast.Module(body=child.orelse, type_ignores=[]), at_once)
        else:
            inner = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from _imports_below(child, at_once and not inner)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def test_the_rules_look_at_real_files_and_real_imports() -> None:
    assert len(python_files()) > 40
    assert ("numpy", True) in set(imports(LIBRARY / "evaluation" / "metrics.py"))
    assert ("torch", False) in set(imports(LIBRARY / "export" / "onnx_file.py"))


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    mine = room(path.relative_to(LIBRARY).parts)
    for module, _ in imports(path):
        top, *below = module.split(".")
        assert top not in UNSAFE_PACKAGES, f"{module}: reading such data can run code"
        assert top not in NETWORK_PACKAGES, f"{module}: the program never uses the network"
        allowed = RUNTIME_PACKAGES | OPTIONAL_PACKAGES | PACKAGES_OF.get(mine, set())
        assert top in allowed, f"{module}: {mine!r} does not know this package"
        if top == "LightMedSegLib":
            assert room(below) in MAY_IMPORT[mine], f"{module}: {mine!r} stands below it"


def test_every_folder_is_a_room_and_none_is_crowded() -> None:
    folders = {path.parent for path in python_files()}
    assert {folder.name for folder in folders if folder.parent == LIBRARY} == set(MAY_IMPORT) - {""}
    for folder in folders:
        assert (folder / "__init__.py").is_file(), f"{folder.relative_to(LIBRARY)} would not be installed"
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= LARGEST_FOLDER, f"{folder.relative_to(LIBRARY)} holds {len(modules)} modules"


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle(import_graph()) is None


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def import_graph() -> dict[str, set[str]]:
    """Each module of the library, with the modules that it imports anywhere."""
    modules = {module_name(path): path for path in python_files()}
    graph = {}
    for name, path in modules.items():
        used = {module if module in modules else module.rpartition(".")[0] for module, _ in imports(path)}
        graph[name] = (used & modules.keys()) - {name}
    return graph


def module_name(path: Path) -> str:
    parts = path.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """Modules that import each other, the first one repeated at the end; None if there are none."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str] | None:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return None
        for other in sorted(graph[module]):
            found = walk(other, [*way, module])
            if found:
                return found
        done.add(module)
        return None

    return next((found for module in sorted(graph) if (found := walk(module, []))), None)


def test_a_package_that_may_be_missing_is_imported_only_where_it_is_needed() -> None:
    """depthwise_triton is itself imported only after triton was found, and parts.py only by MONAI."""
    found = {
        (path.name, module.split(".")[0])
        for path in python_files()
        for module, at_once in imports(path)
        if at_once and module.split(".")[0] in OPTIONAL_PACKAGES
    }
    assert found <= {("depthwise_triton.py", "triton"), ("parts.py", "monai")}


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(LIBRARY)))
def test_a_file_never_evaluates_text_and_loads_tensors_only_as_data(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in ("eval", "exec", "__builtins__.eval")
        if called == "torch.load":
            keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert keywords.get("weights_only") == "True", f"line {node.lineno}: torch.load would unpickle"


def test_a_light_module_does_not_bring_torch() -> None:
    """One after the other: the first line printed after torch came names the module that brought it."""
    code = "\n".join(f"import {module}; print({module!r}, 'torch' in sys.modules)" for module in LIGHT_MODULES)
    told, found = _run(code)
    assert told.splitlines() == [f"{module} False" for module in LIGHT_MODULES]
    assert set(LIGHT_MODULES) <= found


def test_the_package_itself_is_lighter_still() -> None:
    assert not {"torch", "SimpleITK", "numpy"} & _run("import LightMedSegLib")[1]


def test_help_and_the_list_of_models_do_without_torch() -> None:
    commands = (["--help"], ["models", "list"], ["segment", "--help"], ["evaluate", "--help"])
    calls = "\n".join(f"assert main({words!r}) == 0" for words in commands)
    assert "torch" not in _run(f"from LightMedSegLib.cli import main\n{calls}")[1]


def _run(code: str) -> tuple[str, set[str]]:
    """What a fresh interpreter prints that runs code, and the names of all its modules at the end."""
    code = f"import sys, os\n{code}\nos.write(2, ' '.join(sys.modules).encode())"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=limit(60), env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, set(done.stderr.split())
