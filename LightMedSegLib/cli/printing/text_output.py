"""Text files that a command writes for programs; standard output may stand for one of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from LightMedSegLib.cli.parser import file_path
from LightMedSegLib.storage.atomic_files import atomic_write

STANDARD_OUTPUT = "-"
"""What stands for standard output in place of the name of a file."""


def text_output(text: str) -> Path | str:
    """An argument that is the path of a text file to write, or STANDARD_OUTPUT."""
    return STANDARD_OUTPUT if text == STANDARD_OUTPUT else file_path(text)


def write_text(output: Path | str, text: str) -> None:
    """Write text to a file in UTF-8, complete or not at all, or to standard output. Raises OutputError."""
    if not isinstance(output, Path):
        sys.stdout.write(text)
        return
    with atomic_write(output) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def files(outputs: Iterable[Path | str | None]) -> list[Path]:
    """Return the outputs that are files."""
    return [output for output in outputs if isinstance(output, Path)]
