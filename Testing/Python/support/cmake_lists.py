"""What CMake has to install, and where, as far as the tests need to know."""

from __future__ import annotations

import subprocess
from pathlib import Path

from paths import REPOSITORY
from patience import limit

_INSTALLED = {"LightMedSeg/": "", "LightMedSegLib/": "LightMedSegLib/", "Resources/": "Resources/"}
_NOT_INSTALLED = ("Resources/Training/", "Resources/Screenshots/")
"""Recipes to train the models again, and pictures for the home page."""


def repository_files() -> list[str]:
    """What git has, or would take; all files where there is no git."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=limit(30))
        names = done.stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        names = [path.relative_to(REPOSITORY).as_posix() for path in REPOSITORY.rglob("*")]
    return sorted(name for name in names if (REPOSITORY / name).is_file() and "__pycache__" not in name)


def installed_files() -> dict[str, Path]:
    """Path below lib/Slicer-5.x/qt-scripted-modules, and the file in the repository that goes there.

    Every file of module, library and resources, without what only the repository needs.
    """
    return {
        target + name.removeprefix(source): REPOSITORY / name
        for name in repository_files()
        for source, target in _INSTALLED.items()
        if name.startswith(source) and not name.startswith(_NOT_INSTALLED) and not name.endswith("CMakeLists.txt")
    }
