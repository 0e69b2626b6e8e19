"""Configuring and installing the extension with CMake, against the stand-in of Slicer's macros in Testing/CMake."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from paths import REPOSITORY
from patience import limit

STAND_IN = REPOSITORY / "Testing" / "CMake"
MODULES = Path("lib") / "Slicer-5.12" / "qt-scripted-modules"
DESCRIPTION = Path("share") / "Slicer-5.12" / "LightMedSeg.s4ext"


def cmake_program(name: str = "cmake") -> str:
    """The path of cmake or ctest: of PyPI's package, or the machine's own; skips the test where neither is."""
    package = importlib.util.find_spec("cmake")
    if package is not None and package.origin is not None:
        found = shutil.which(name, path=str(Path(package.origin).parent / "data" / "bin"))
        if found:
            return found
    found = shutil.which(name)
    if not found and os.environ.get("CI"):
        pytest.fail(f"needs {name}: pip install cmake")
    if not found:
        pytest.skip(f"needs {name}: pip install cmake")
    return str(found)


def configure(source: Path, build: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Configure an extension; nothing is compiled, so neither a compiler nor a build tool is needed."""
    cmake = cmake_program()
    return subprocess.run(
        [
            cmake,
            *("-S", str(source), "-B", str(build), "-G", "Unix Makefiles"),
            f"-DCMAKE_MAKE_PROGRAM={cmake}",
            f"-DCMAKE_TOOLCHAIN_FILE={STAND_IN / 'NoCompiler.cmake'}",
            f"-DSlicer_DIR={STAND_IN}",
            *options,
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=limit(120),
        check=False,
    )


def install(folder: Path) -> Path:
    """Configure and install this extension; returns the folder of scripted modules in the installation."""
    build = folder.with_name(f"{folder.name} build")
    done = configure(REPOSITORY, build)
    assert done.returncode == 0, done.stderr
    subprocess.run(
        [cmake_program(), "--install", str(build), "--prefix", str(folder)],
        capture_output=True,
        timeout=limit(120),
        check=True,
    )
    return folder / MODULES


def registered_tests(build: Path) -> list[str]:
    """Names of the tests that Slicer's dashboard would run, from a configured build tree."""
    done = subprocess.run(
        [cmake_program("ctest"), "--test-dir", str(build), "-N"],
        capture_output=True,
        encoding="utf-8",
        timeout=limit(60),
        check=True,
    )
    return re.findall(r"Test +#\d+: (\S+)", done.stdout)
