"""Checks of a NRRD file that ITK leaves out."""

from __future__ import annotations

from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.metaimage_header import is_dangerous_pattern

_HEADER_BYTES = 1024 * 1024
_LONGEST_FIELD = 1000
"""ITK's reader overruns its memory where it cannot parse a long field; real ones have some hundred characters."""


def check_nrrd(path: Path) -> None:
    """Raise InputImageError if the header of the .nrrd or .nhdr file at path would mislead ITK's reader.

    That is an absurdly long field (lines with key:=value are free text, and may be as long as they like), and a pattern
    of file names that is more than a number in a name (ITK hands it to printf, which reads and writes memory as it
    says).
    """
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    for line in header.split(b"\n"):
        if len(line) > _LONGEST_FIELD and b":=" not in line and not line.startswith(b"#"):
            raise InputImageError(f"{path} has a NRRD header with a field of {len(line)} characters; it is damaged.")
        field, _, value = line.partition(b":")
        if field.strip().lower() in (b"data file", b"datafile") and is_dangerous_pattern(value):
            raise InputImageError(f"{path} has a NRRD header with an impossible pattern of file names.")
