"""File names as people write them, and as the readers of images need them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from LightMedSegLib.core.console import printable
from LightMedSegLib.core.errors import LightMedSegError


def check_readable_name(path: Path, error: type[LightMedSegError]) -> None:
    """Raise error unless ITK can find the file or folder at path: it takes every name for UTF-8.

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
    """The name as a text that can be compared and written to any file.

    Accents are encoded in one way (some systems write a letter and its accent as two characters), and bytes that are no
    text are escapes.
    """
    return unicodedata.normalize("NFC", printable(name))


def find_file(folder: Path, written: str) -> Path:
    """The file that a person calls written, relative to folder; as it is written, if there is none.

    Also found is a path with backslashes, and one whose accents are encoded in another way.
    """
    spellings = [written, written.replace("\\", "/")]
    spellings += [unicodedata.normalize(form, text) for text in spellings for form in ("NFC", "NFD")]
    return next((folder / text for text in spellings if (folder / text).is_file()), folder / written)
