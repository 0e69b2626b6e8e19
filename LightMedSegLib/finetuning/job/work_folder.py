"""The intermediate results of a job, so that a killed job resumes instead of starting over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from LightMedSegLib.storage.atomic_files import atomic_write, remove_folder, remove_stale
from LightMedSegLib.storage.strict_json import parse_json

_FINGERPRINT = "fingerprint"


class WorkFolder:
    """Results by name in a folder of the job's own; only one process may use it at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, fingerprint: str) -> bool:
        """Prepare the folder; True if it holds results of the very same job, otherwise what it held is removed."""
        if self.folder.is_dir():
            for place in (self.folder, *(item for item in self.folder.iterdir() if item.is_dir())):
                remove_stale(place, older_than=-1.0)
        if self.read(_FINGERPRINT) == {"value": fingerprint}:
            return True
        self.remove()
        self.folder.mkdir(parents=True)
        self.write(_FINGERPRINT, {"value": fingerprint})
        return False

    def read(self, name: str) -> dict[str, Any] | None:
        """The result called name, or None if there is none."""
        try:
            value = parse_json((self.folder / f"{name}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return value if isinstance(value, dict) else None

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Keep a result, complete or not at all."""
        with atomic_write(self.folder / f"{name}.json") as temporary:
            temporary.write_text(json.dumps(value) + "\n", encoding="utf-8")

    def remove(self) -> None:
        """Remove all results."""
        remove_folder(self.folder)


def holds_results(folder: Path) -> bool:
    """Return whether a job's results are in folder, of whichever job."""
    return WorkFolder(folder).read(_FINGERPRINT) is not None
