"""Runs the library's tests with the lowest, the pinned and the newest versions that pyproject.toml allows.

    python Testing/Tools/check_compatibility.py [--python 3.12] [--index URL] [--only 2] [--room io] [--plan]

Each cell gets an environment of its own, kept for the next time: PyTorch and SimpleITK lowest, as constraints.txt pins
them, and newest, on each Python; numpy is the one of Slicer 5.12 where that Python has it. --index is another index of
packages to take from, such as PyTorch's builds for processors. --room runs a part of the tests. --plan prints the cells
and runs nothing. A Python that is not on this computer is left out, and the table says so. The exit code is 1 where a
cell failed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "reliability-output" / "compatibility"

PYTHONS = ("3.10", "3.12")
SLICER_NUMPY = "numpy==2.4.*"
"""What Slicer 5.12 ships; it needs Python 3.11."""
TEST_PACKAGES = (
    "pytest", "hypothesis", "jsonschema", "safetensors", "matplotlib", "nibabel", "scipy", "fvcore",
    "highdicom", "pathspec", "setuptools", "tomli; python_version < '3.11'",
)  # fmt: skip
"""Triton before 3.3 needs setuptools without naming it."""
COMPILED = "torch,numpy,SimpleITK,scipy"
"""Not built here: a version that has no package for this Python fails at once."""
ROOMS = (
    "core", "storage", "io", "model", "checks", "network", "inference", "interaction", "evaluation", "learning",
    "finetuning", "cli",
)  # fmt: skip
"""Rooms of Testing/Python that need neither Slicer nor the packages for export."""
MARKS = "not slow and not reliability and not slicer"


@dataclass(frozen=True)
class Cell:
    """One environment: the version of Python, and what is installed as pip takes it."""

    python: str
    title: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Return the name of the environment's folder."""
        return f"python{self.python}-{self.title}"


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: the versions that were installed, the result in a few words, and whether it failed."""

    cell: Cell
    versions: Mapping[str, str]
    result: str
    failed: bool


def dependencies() -> dict[str, str]:
    """Return the library's own requirements of pyproject.toml by the name of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[<>=!]", line)[0]: line for line in project["dependencies"]}


def pins() -> dict[str, str]:
    """Return the exact versions of constraints.txt by the name of the package in small letters."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line]
    return {name.lower(): version for name, version in pairs}


def lowest(requirement: str) -> str:
    """Return the requirement for the lowest version that a requirement allows, in any of its patch releases.

    Raises:
        ValueError: the requirement has no lower bound.
    """
    name = re.split(r"[<>=!]", requirement)[0]
    found = re.search(r">=\s*([\d.]+)", requirement)
    if found is None:
        raise ValueError(f"{requirement} has no lower bound.")
    return f"{name}=={found[1]}.*"


def plan(pythons: Sequence[str], allowed: Mapping[str, str], pinned: Mapping[str, str]) -> list[Cell]:
    """Return the cells: for each Python, PyTorch and SimpleITK lowest, pinned and newest.

    Where numpy is not the one of Slicer, it is lowest beside the lowest and newest beside the others. Packages that are
    neither of the three have the versions that pip chooses.
    """
    cells = []
    for python in pythons:
        has_slicer_numpy = _version(python) >= (3, 11)
        others = [line for name, line in allowed.items() if name not in ("torch", "numpy", "SimpleITK")]
        for title in ("lowest", "pinned", "newest"):
            chosen = [_chosen(name, title, allowed, pinned) for name in ("torch", "SimpleITK")]
            numpy = lowest(allowed["numpy"]) if title == "lowest" else allowed["numpy"]
            chosen.append(SLICER_NUMPY if has_slicer_numpy else numpy)
            cells.append(Cell(python, title, (*chosen, *others, *TEST_PACKAGES)))
    return cells


def _chosen(name: str, title: str, allowed: Mapping[str, str], pinned: Mapping[str, str]) -> str:
    if title == "lowest":
        return lowest(allowed[name])
    return f"{name}=={pinned[name.lower()]}" if title == "pinned" else allowed[name]


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def interpreter(version: str) -> Path | None:
    """Return a Python of this version on the path or known to uv, or None."""
    commands = [[f"python{version}"]]
    uv = shutil.which("uv")
    if uv:
        found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True, check=False)
        commands.append([found.stdout.strip()] if found.returncode == 0 else [])
    for command in commands:
        path = shutil.which(command[0]) if command else None
        if path and _is_of(path, version):
            return Path(path)
    return None


def _is_of(path: str, version: str) -> bool:
    told = subprocess.run(
        [path, "-c", "import sys, venv; print(*sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    return told.stdout.split() == version.split(".")


def environment(cell: Cell, base: Path, output: Path, index: str | None) -> tuple[Path, str]:
    """Return the interpreter of the cell's environment, made where it is missing, and what pip complained of, or ""."""
    place = output / cell.folder
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = place / "requirements.txt"
    wanted = "\n".join(cell.requirements) + "\n"
    if ready.is_file() and ready.read_text(encoding="utf-8") == wanted:
        return python, ""
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([base, "-m", "venv", "--without-pip", place], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    extra = ["--extra-index-url", index] if index else []
    for words in (["--only-binary", COMPILED, *extra, *cell.requirements], ["--no-deps", str(ROOT)]):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            return python, (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    ready.write_text(wanted, encoding="utf-8")
    return python, ""


def run(cell: Cell, python: Path, output: Path, rooms: Sequence[str] = ROOMS) -> Outcome:
    """Run the tests of these rooms in an environment; the whole output lies in a file beside it."""
    tests = [str(ROOT / "Testing" / "Python" / room) for room in rooms]
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", MARKS, *tests]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    (output / f"{cell.folder}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
    return Outcome(cell, versions(python), summary(done.stdout), done.returncode != 0)


def summary(printed: str) -> str:
    """Return the last line of pytest with its counts, without the time."""
    lines = [line.strip("= ") for line in printed.splitlines() if re.search(r"\d+ (passed|failed|error)", line)]
    return re.sub(r" in [\d.]+s.*", "", lines[-1]) if lines else "no test ran"


def versions(python: Path) -> dict[str, str]:
    """Return the versions of Python, numpy, PyTorch and SimpleITK in an environment."""
    code = (
        "import platform; from importlib.metadata import version as v; "
        "print(platform.python_version(), v('numpy'), v('torch'), v('SimpleITK'))"
    )
    told = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return dict(zip(("Python", "numpy", "torch", "SimpleITK"), told.stdout.split(), strict=True))


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a Markdown table."""
    lines = ["| cell | Python | numpy | torch | SimpleITK | tests |", "|---|---|---|---|---|---|"]
    for one in outcomes:
        found = [one.versions.get(name, "-") for name in ("Python", "numpy", "torch", "SimpleITK")]
        cells = [one.cell.title, found[0] if one.versions else one.cell.python, *found[1:], one.result]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def check(cell: Cell, output: Path, index: str | None, rooms: Sequence[str] = ROOMS) -> Outcome:
    """Make the environment of a cell and run the tests in it."""
    base = interpreter(cell.python)
    if base is None:
        return Outcome(cell, {}, f"not run: no Python {cell.python} here", False)
    python, problem = environment(cell, base, output, index)
    return Outcome(cell, {}, f"not installed: {problem}", True) if problem else run(cell, python, output, rooms)


def main() -> int:
    """Plan, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", action="append", help="a version, such as 3.12; may be repeated")
    parser.add_argument("--only", type=int, action="append", help="the number of a cell of --plan; may be repeated")
    parser.add_argument("--room", action="append", choices=ROOMS, help="run these rooms only; may be repeated")
    parser.add_argument("--index", help="another index of packages")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the environments and logs")
    parser.add_argument("--plan", action="store_true", help="print the cells only")
    arguments = parser.parse_args()
    cells = list(enumerate(plan(arguments.python or PYTHONS, dependencies(), pins()), start=1))
    if arguments.plan:
        for number, cell in cells:
            print(number, cell.folder, *cell.requirements[:3])
        return 0
    arguments.output.mkdir(parents=True, exist_ok=True)
    rooms, outcomes = arguments.room or ROOMS, []
    for number, cell in cells:
        if not arguments.only or number in arguments.only:
            print(f"{cell.folder} ...", file=sys.stderr, flush=True)
            outcomes.append(check(cell, arguments.output.resolve(), arguments.index, rooms))
    print(f"Rooms: {', '.join(rooms)}.\n")
    print(table(outcomes))
    return int(any(one.failed for one in outcomes))


if __name__ == "__main__":
    sys.exit(main())
