"""Which version of a model is in use, where the user chose one: a small text file for each model name.

Without a file the newest release is in use. Choosing another version is what adopting and rolling back are.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.semver import Version
from LightMedSegLib.storage.atomic_files import TEMPORARY_PREFIX, atomic_write, sync
from LightMedSegLib.storage.file_lock import exclusive

_SUFFIX = ".active"
_LOCK_FILE = ".active.lock"


def active_version(folder: Path, name: str) -> str | None:
    """The version chosen for the model called name in the user's models folder; None without a choice."""
    try:
        text = (folder / f"{name}{_SUFFIX}").read_text(encoding="ascii").strip()
        return str(Version.parse(text))
    except (OSError, ValueError):
        return None


def choose_version(folder: Path, name: str, version: str | None) -> None:
    """Choose a version, or with None the newest release again; complete or not at all. Raises OutputError."""
    path = folder / f"{name}{_SUFFIX}"
    with exclusive(folder / _LOCK_FILE) as alone:
        if alone:
            _remove_leftovers(folder)
        if version is not None:
            with atomic_write(path) as temporary:
                temporary.write_text(f"{version}\n", encoding="ascii")
            return
        try:
            path.unlink(missing_ok=True)
            sync(folder)
        except OSError as error:
            raise OutputError(f"{path} cannot be removed: {error.strerror or error}.") from error


def remove_leftovers(folder: Path) -> None:
    """Remove what a crash left of choices, unless a process is choosing just now."""
    if folder.is_dir():
        with contextlib.suppress(OutputError), exclusive(folder / _LOCK_FILE, wait_seconds=0.0) as alone:
            if alone:
                _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    for path in folder.glob(f"{TEMPORARY_PREFIX}*{_SUFFIX}"):
        path.unlink(missing_ok=True)
