"""File names: encodings, accents and separators, for people and for image readers."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from LightMedSegLib.core.console import printable
from LightMedSegLib.core.errors import LightMedSegError


def check_readable_name(path: Path, error: type[LightMedSegError]) -> None:
    """Raise error unless path is UTF-8 text, the only encoding that ITK can open.

    A name of another encoding (from an old archive, or in a session with another encoding) would end the program.
    """
    try:
        same = os.name == "nt" or os.fsencode(path) == str(path).encode("utf-8")
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        same = False
    if not same:
        raise error(f"{path} has a name or a folder in its path that is not UTF-8 text; rename it.")


def comparable_name(name: str) -> str:
    """Return the name as text that can be compared and written to any file.

    Accents have one encoding (some systems write a letter and its accent as two characters), and bytes that are not
    text are escaped.
    """
    return unicodedata.normalize("NFC", printable(name))


def find_file(folder: Path, written: str) -> Path:
    """Return the file that the text ``written`` refers to, relative to folder; the path as written if there is none.

    Paths with backslashes, and with accents in another encoding, are found too.
    """
    spellings = [written, written.replace("\\", "/")]
    spellings += [unicodedata.normalize(form, text) for text in spellings for form in ("NFC", "NFD")]
    return next((folder / text for text in spellings if (folder / text).is_file()), folder / written)


def without_folders(text: str, paths: Iterable[Path]) -> str:
    """Return the text with the name of each path in its place, for reports that are shared: folders name people."""
    for path in paths:
        text = text.replace(str(path), path.name)
    return text
