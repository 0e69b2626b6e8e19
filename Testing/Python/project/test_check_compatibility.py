"""The plan of the compatibility check: which versions it installs, and what it says of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import check_compatibility as check
import pytest
from paths import REPOSITORY

ALLOWED = {"torch": "torch>=2.6,!=2.9.*", "numpy": "numpy>=1.24", "SimpleITK": "SimpleITK>=2.3", "x": "x>=1"}
PINNED = {"torch": "2.13.0", "simpleitk": "2.5.7", "numpy": "2.4.6"}
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_plan_has_lowest_pinned_and_newest_versions_for_each_python() -> None:
    cells = check.plan(("3.10", "3.12"), ALLOWED, PINNED)
    assert [cell.requirements[:4] for cell in cells] == [
        ("torch==2.6.*", "SimpleITK==2.3.*", "numpy==1.24.*", "x>=1"),
        ("torch==2.13.0", "SimpleITK==2.5.7", "numpy>=1.24", "x>=1"),
        ("torch>=2.6,!=2.9.*", "SimpleITK>=2.3", "numpy>=1.24", "x>=1"),
        ("torch==2.6.*", "SimpleITK==2.3.*", "numpy==2.4.*", "x>=1"),
        ("torch==2.13.0", "SimpleITK==2.5.7", "numpy==2.4.*", "x>=1"),
        ("torch>=2.6,!=2.9.*", "SimpleITK>=2.3", "numpy==2.4.*", "x>=1"),
    ]
    assert len({cell.folder for cell in cells}) == len(cells)
    assert all("pytest" in cell.requirements for cell in cells)


def test_the_versions_are_those_of_the_repository() -> None:
    allowed, pinned = check.dependencies(), check.pins()
    assert {"torch", "numpy", "SimpleITK"} <= allowed.keys()
    for name in ("torch", "numpy", "SimpleITK"):
        assert check.lowest(allowed[name]).startswith(f"{name}==")
        assert name.lower() in pinned
    assert len(check.plan(check.PYTHONS, allowed, pinned)) == 3 * len(check.PYTHONS)
    with pytest.raises(ValueError, match="no lower bound"):
        check.lowest("torch<3")


def test_the_rooms_exist() -> None:
    assert all((REPOSITORY / "Testing" / "Python" / room).is_dir() for room in check.ROOMS)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_an_interpreter_is_one_of_that_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check.interpreter(THIS) is None
    for name in (THIS, "3.1"):
        (tmp_path / f"python{name}").symlink_to(sys.executable)
    assert check.interpreter(THIS) == tmp_path / f"python{THIS}"
    assert check.interpreter("3.1") is None, "it says what it is"


def test_a_cell_without_its_python_is_told_and_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "interpreter", lambda version: None)
    cell = check.plan(("3.12",), ALLOWED, PINNED)[0]
    outcome = check.check(cell, tmp_path, None)
    assert not outcome.failed and outcome.versions == {}
    assert check.table([outcome]).splitlines()[-1] == "| lowest | 3.12 | - | - | - | not run: no Python 3.12 here |"


def test_the_table_has_the_versions_that_were_installed() -> None:
    cell = check.plan(("3.12",), ALLOWED, PINNED)[2]
    found = {"Python": "3.12.10", "numpy": "2.4.6", "torch": "2.15.0", "SimpleITK": "2.5.7"}
    outcome = check.Outcome(cell, found, "3 failed, 7 passed", True)
    line = check.table([outcome]).splitlines()[-1]
    assert line == "| newest | 3.12.10 | 2.4.6 | 2.15.0 | 2.5.7 | 3 failed, 7 passed |"


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("...\n5 passed, 2 skipped in 3.21s\n", "5 passed, 2 skipped"),
        ("=== 1 failed, 4 passed, 3 deselected in 70.02s (0:01:10) ===", "1 failed, 4 passed, 3 deselected"),
        ("ImportError\n", "no test ran"),
    ],
)
def test_the_last_line_of_pytest_is_the_result(printed: str, expected: str) -> None:
    assert check.summary(printed) == expected


def test_an_environment_that_is_there_is_used_again(tmp_path: Path) -> None:
    cell = check.Cell("3.12", "lowest", ("torch==2.6.*",))
    (tmp_path / cell.folder).mkdir()
    (tmp_path / cell.folder / "requirements.txt").write_text("torch==2.6.*\n")
    python, problem = check.environment(cell, Path("no-such-python"), tmp_path, None)
    assert problem == "" and cell.folder in python.parts


def test_the_page_has_the_lowest_and_the_pinned_versions_of_the_repository() -> None:
    page = (REPOSITORY / "Documentation" / "compatibility.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| 3.")]
    lowest = {name: check.lowest(line).split("==")[1].rstrip("*") for name, line in check.dependencies().items()}
    assert any(f"| {lowest['torch']}" in row and f"| {lowest['SimpleITK']}" in row for row in rows)
    pinned = check.pins()
    assert any(f"| {pinned['torch']} " in row and f"| {pinned['simpleitk']} " in row for row in rows)
