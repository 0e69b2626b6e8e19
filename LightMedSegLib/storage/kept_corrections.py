"""Corrections in progress on the disk, so that a crash does not lose them: one file for each scene that is open.

Layout: ``corrections/<random name>.safetensors`` and ``.lock``, which the process holds as long as the file is its
own. A file whose lock is free was left behind by a process that did not end normally. Only the user can read them; too
old ones, and the oldest of too many, are deleted.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.storage.atomic_files import atomic_write, make_private_folder, remove_stale
from LightMedSegLib.storage.file_lock import exclusive
from LightMedSegLib.storage.safetensors_file import write_tensors

LARGEST = 64 * 2**20
MOST_FILES = 20
OLDEST_SECONDS = 30 * 24 * 3600

_IDLE_SECONDS = 24 * 3600
_TENSORS, _LOCK = ".safetensors", ".lock"


def corrections_folder() -> Path:
    """Return the folder of all kept corrections, which may not exist yet."""
    return user_data_folder() / "corrections"


class OwnCorrections:
    """The file of this process's open scene; nothing is on the disk before the first write."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder if folder is not None else corrections_folder()
        self._path: Path | None = None
        self._held = contextlib.ExitStack()

    def write(self, tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Replace the content; complete or not at all. Raises OutputError if it is too large or the disk refuses."""
        if sum(array.nbytes for array in tensors.values()) > LARGEST:
            raise OutputError("The corrections are too large to be kept for a crash; save the scene.")
        if self._path is None:
            self._begin()
        assert self._path is not None
        with atomic_write(self._path, private=True) as temporary:
            write_tensors(temporary, tensors)

    def forget(self) -> None:
        """Delete the file: the scene was saved or closed."""
        path, self._path = self._path, None
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
        # Windows does not delete a file that is held open.
        self._held.close()
        if path is not None:
            discard([path])

    def _begin(self) -> None:
        with contextlib.suppress(OSError):
            make_private_folder(self._folder)
        path = self._folder / f"{secrets.token_hex(8)}{_TENSORS}"
        self._held.enter_context(exclusive(path.with_suffix(_LOCK), wait_seconds=0.0))
        self._path = path


def left_behind(folder: Path | None = None) -> list[Path]:
    """Return the files of processes that did not end normally, newest first; old ones are deleted first."""
    place = folder if folder is not None else corrections_folder()
    if not place.is_dir():
        return []
    remove_stale(place)
    found = []
    for path in place.glob(f"*{_TENSORS}"):
        with contextlib.suppress(OSError):
            if path.is_file() and not path.name.startswith(".") and _is_free(path):
                found.append((path.stat().st_mtime, path))
    found.sort(reverse=True)
    oldest = time.time() - OLDEST_SECONDS
    kept = [path for number, (changed, path) in enumerate(found) if number < MOST_FILES and changed >= oldest]
    discard([path for _, path in found if path not in kept])
    return kept


def discard(paths: Sequence[Path]) -> None:
    """Delete files that were left behind."""
    for path in paths:
        for file in (path, path.with_suffix(_LOCK)):
            with contextlib.suppress(OSError):
                file.unlink()


def _is_free(path: Path) -> bool:
    """Return whether no process has the file; where the file system has no locks, whether it has long been idle."""
    try:
        with exclusive(path.with_suffix(_LOCK), wait_seconds=0.0) as alone:
            return alone or time.time() - path.stat().st_mtime > _IDLE_SECONDS
    except OutputError:
        return False
