"""The folder of compiled passes: kept between sessions, limited in size, safe to delete at any time.

Its files are code: torch's compiler unpickles them and loads libraries from the folder without any check. So it is
used only if nobody but the user can write there.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.user_folders import user_data_folder
from LightMedSegLib.storage.atomic_files import atomic_write

LARGEST_BYTES = 512 * 2**20

_OUTCOME = "outcome.json"


@dataclass(frozen=True)
class Outcome:
    """Result of a compilation. reason: why it failed; "" if it did not."""

    reason: str
    seconds: float = 0.0


def compiled_folder() -> Path:
    """Return the folder, which may not exist yet; it has one folder a task."""
    return user_data_folder() / "compiled"


def task_folder(key: str) -> Path:
    """The folder of the task with this key."""
    return compiled_folder() / key


def private_task_folder(key: str) -> Path:
    """Return the folder of the task with this key, created if there is none.

    Raises OutputError if others than the user can write into the folder of compiled passes.
    """
    folder = compiled_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.stat()
    if os.name == "posix" and (facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise OutputError(f"others can write into {folder}; delete it.")
    task_folder(key).mkdir(exist_ok=True)
    return task_folder(key)


def read_outcome(folder: Path) -> Outcome | None:
    """Return the result of the compilation in a task's folder; None if there is none or it cannot be read."""
    try:
        values = json.loads((folder / _OUTCOME).read_text(encoding="utf-8"))
        outcome = Outcome(str(values["reason"]), float(values["seconds"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):
        # The time of the last use, by which the oldest is found.
        os.utime(folder / _OUTCOME)
    return outcome


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Store the result of the compilation in a task's folder; a folder that cannot be written is no error."""
    with suppress(OSError, OutputError), atomic_write(folder / _OUTCOME) as temporary:
        temporary.write_text(json.dumps(asdict(outcome)), encoding="utf-8")


def make_room(largest_bytes: int = LARGEST_BYTES) -> None:
    """Delete the least recently used folders of tasks until the others have at most largest_bytes."""
    try:
        folders = [path for path in compiled_folder().iterdir() if path.is_dir()]
    except OSError:
        return
    sizes = {folder: _bytes(folder) for folder in folders}
    for folder in sorted(folders, key=_last_use):
        if sum(sizes.values()) <= largest_bytes:
            return
        shutil.rmtree(folder, ignore_errors=True)
        sizes[folder] = 0


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def _last_use(folder: Path) -> float:
    for path in (folder / _OUTCOME, folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return 0.0
