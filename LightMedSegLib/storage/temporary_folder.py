"""A temporary folder for copies of input files that only the user can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from LightMedSegLib.core.errors import InputImageError


@contextmanager
def temporary_folder(item: Path) -> Iterator[Path]:
    """Yield an empty folder for the with-block; raises InputImageError, about the input item, if none can be made."""
    try:
        folder = TemporaryDirectory(prefix="lightmedseg-")
    except OSError as error:
        raise InputImageError(
            f"{item} cannot be read without a temporary folder, and none can be made: {error.strerror}; let TMPDIR "
            "name a folder that can be written to."
        ) from error
    with folder as name:
        yield Path(name)
