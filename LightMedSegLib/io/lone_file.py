"""Isolation of a file from neighbours that the image reader would read instead."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.storage.temporary_folder import temporary_folder


def neighbour(path: Path) -> Path | None:
    """Return the file that ITK's NIfTI reader reads instead of path: SCAN.nii beside SCAN.nii.gz."""
    other = path.with_suffix("")
    return other if path.name.lower().endswith(".nii.gz") and other.exists() else None


@contextmanager
def alone(path: Path) -> Iterator[Path]:
    """Yield path itself or, if a neighbour would be read, a temporary link to it in a separate folder.

    Raises InputImageError if neither a link nor a copy can be made.
    """
    if neighbour(path) is None:
        yield path
        return
    with temporary_folder(path) as folder:
        lone = folder / path.name
        try:
            try:
                lone.symlink_to(path.resolve())
            except OSError:  # Windows allows links to few users.
                shutil.copyfile(path, lone)
        except OSError as error:
            raise InputImageError(
                f"{path} cannot be read while {path.stem} lies beside it, which the image reader would take for it; "
                "move one of them elsewhere."
            ) from error
        yield lone
