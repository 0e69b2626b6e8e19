"""The header of a NRRD file, with checks that ITK does not make."""

from __future__ import annotations

from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.metaimage_header import is_dangerous_pattern

_HEADER_BYTES = 1024 * 1024
_LONGEST_FIELD = 1000
"""Longest field: ITK's reader writes out of bounds for a long field that it cannot parse; real ones are short."""


def check_nrrd(path: Path) -> None:
    """Raise InputImageError if the header of the .nrrd or .nhdr file at path would mislead ITK's reader.

    These are an axis of time among the first three (ITK takes it for one of space), an extremely long field (lines with
    key:=value are free text of any length), and a file name pattern with more than a number in it (ITK passes it to
    printf, which reads and writes memory at its command).
    """
    for line in _lines(path):
        if len(line) > _LONGEST_FIELD and b":=" not in line and not line.startswith(b"#"):
            raise InputImageError(f"{path} has a NRRD header with a field of {len(line)} characters; it is damaged.")
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"kinds" and b"time" in value.lower().split()[:3]:
            raise InputImageError(f"{path} has an axis of time; a 3D volume is needed: save one time point alone.")
        if field.strip().lower() in (b"data file", b"datafile") and is_dangerous_pattern(value):
            raise InputImageError(f"{path} has a NRRD header with an impossible pattern of file names.")


def nrrd_fields(path: Path) -> dict[str, str]:
    """The fields of the header, names in lower case; comments and key:=value lines are left out.

    Raises InputImageError for a field with two values.
    """
    fields: dict[str, str] = {}
    for line in _lines(path)[1:]:
        name, mark, value = line.partition(b":")
        if mark and not value.startswith(b"=") and not line.startswith(b"#"):
            key, text = name.decode("latin-1").strip().lower(), value.decode("utf-8", "replace").strip()
            if fields.setdefault(key, text) != text:
                raise InputImageError(f"{path} has a NRRD header with two values of {key}; export it again.")
    return fields


def _lines(path: Path) -> list[bytes]:
    with path.open("rb") as stream:
        header = stream.read(_HEADER_BYTES).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return header.split(b"\n")
