"""The tests lie in rooms, share fixtures through conftest.py only, and are all found by those who name them."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from paths import REPOSITORY, SUPPORT

TESTS = SUPPORT.parent
LARGEST_ROOM = 20
"""Files of tests in one folder."""

ROOMS = {path.name for path in (REPOSITORY / "LightMedSegLib").iterdir() if (path / "__init__.py").exists()} | {
    "benchmarks",
    "contract",
    "project",
    "reliability",
    "runtime",
    "strokes",
}


def fixtures(path: Path) -> Iterator[str]:
    """The fixtures that a file defines at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(one) for one in node.decorator_list):
            yield node.name


def test_every_file_lies_in_a_room_and_none_is_crowded() -> None:
    assert [path.name for path in TESTS.glob("*.py")] == ["conftest.py"]
    files = list(TESTS.rglob("test_*.py"))
    sizes = Counter(path.relative_to(TESTS).parts[0] for path in files)
    assert set(sizes) == ROOMS
    assert max(sizes.values()) <= LARGEST_ROOM, sizes


def test_no_two_files_have_the_same_name() -> None:
    """pytest imports each as a module of its bare name, and so do the tests with the helpers."""
    folders = ["Tools", "Benchmarks", "Python"]
    files = [path for folder in folders for path in (REPOSITORY / "Testing" / folder).rglob("*.py")]
    names = Counter(path.stem for path in files if path.stem != "conftest")
    assert [name for name, count in names.items() if count > 1] == []


def test_helpers_have_no_fixtures_and_tests_import_no_tests() -> None:
    assert [path.name for path in SUPPORT.glob("*.py") if list(fixtures(path))] == []
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith(("test_", "conftest")), f"{path.name} line {node.lineno}"


def test_the_fixtures_of_a_room_are_found(tmp_path: Path) -> None:
    path = tmp_path / "helper.py"
    path.write_text("@pytest.fixture(scope='module')\ndef one(): pass\ndef two(): pass\n")
    assert list(fixtures(path)) == ["one"]
    assert "slicer_runtime" in fixtures(TESTS / "conftest.py")


def test_the_tests_of_the_compatibility_row_exist() -> None:
    from Reliability import compatibility

    groups = [value for name, value in vars(compatibility).items() if "TESTS" in name]
    assert len(groups) == 5
    for name in (name for group in groups for name in group):
        assert (TESTS / name).is_file(), name
