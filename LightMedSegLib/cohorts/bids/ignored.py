"""What the file .bidsignore of a dataset leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from LightMedSegLib.core.errors import DependencyError, InputImageError
from LightMedSegLib.storage.text_files import read_text

IGNORE_FILE = ".bidsignore"


def ignored(dataset: Path) -> Callable[[str], bool]:
    """Return the test whether a path relative to the dataset, with "/" between folders, is left out.

    The file has the syntax of .gitignore. Raises DependencyError if there is such a file and the package pathspec is
    missing, InputImageError if it cannot be read.
    """
    path = dataset / IGNORE_FILE
    try:
        lines = read_text(path).splitlines() if path.is_file() else []
    except (OSError, ValueError) as error:
        raise InputImageError(f"{path} cannot be read: {error}.") from error
    if not any(line.strip() and not line.startswith("#") for line in lines):
        return lambda _: False
    try:
        import pathspec
    except ImportError as error:
        raise DependencyError(
            f"The dataset's {IGNORE_FILE} needs the Python package pathspec; pip install pathspec."
        ) from error
    try:
        spec = pathspec.PathSpec.from_lines("gitignore", lines)
    except ValueError as error:
        raise InputImageError(f"{path} has a line that is no pattern; correct it.") from error
    return spec.match_file
