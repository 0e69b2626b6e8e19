"""Build source package and wheel, and look whether everything that a user needs is inside.

    python Testing/Tools/check_packages.py [FOLDER]

The wheel is built from the source package, so what that lacks the wheel lacks, too. FOLDER receives both; without it
they are thrown away. Needs the packages build and setuptools.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
LARGEST = 10_000_000


def wanted_files() -> dict[str, Path]:
    """Path in the wheel, and the file of the repository that it is."""
    files = {
        path.relative_to(REPOSITORY).as_posix(): path
        for path in (REPOSITORY / "LightMedSegLib").rglob("*")
        if path.is_file() and path.name != "CMakeLists.txt"
    }
    for folder in ("Models", "SampleData"):
        for path in (REPOSITORY / "Resources" / folder).rglob("*"):
            if path.is_file():
                inner = path.relative_to(REPOSITORY / "Resources").as_posix()
                files[f"LightMedSegLib/_resources/{inner}"] = path
    return {name: path for name, path in files.items() if "__pycache__" not in name}


def build(folder: Path) -> tuple[Path, Path]:
    """The source package and the wheel, built into folder."""
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)], check=True
    )
    (source,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return source, wheel


def check_wheel(wheel: Path) -> list[str]:
    """What is wrong with a wheel, one line each."""
    wanted = wanted_files()
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")}
        problems = [f"{wheel.name} lacks {name}" for name in sorted(wanted.keys() - found)]
        problems += [
            f"{wheel.name} has {name}, which is not in the repository" for name in sorted(found - wanted.keys())
        ]
        for name in sorted(wanted.keys() & found):
            if archive.read(name) != wanted[name].read_bytes():
                problems.append(f"{name} of {wheel.name} differs from the repository")
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        if "License" not in archive.read(metadata).decode():
            problems.append(f"{wheel.name} names no licence")
        if not any(name.endswith("LICENSE.txt") for name in archive.namelist()):
            problems.append(f"{wheel.name} lacks LICENSE.txt")
    return problems


def check_source(source: Path) -> list[str]:
    """What is wrong with a source package, one line each."""
    with tarfile.open(source) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    wanted = {path.relative_to(REPOSITORY).as_posix() for path in wanted_files().values()}
    wanted |= {"README.md", "LICENSE.txt", "pyproject.toml", "setup.py"}
    return [f"{source.name} lacks {name}" for name in sorted(wanted - names)]


def main(folder: Path) -> int:
    """Build, check, print."""
    source, wheel = build(folder)
    problems = check_source(source) + check_wheel(wheel)
    for package in (source, wheel):
        size = package.stat().st_size
        print(f"{package.name}: {size / 1e6:.2f} MB")
        if size > LARGEST:
            problems.append(f"{package.name} is larger than {LARGEST / 1e6:.0f} MB")
    print("\n".join(problems) or "Both packages are complete.")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(main(Path(scratch)))
