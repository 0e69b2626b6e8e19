"""The header of a MetaImage file, with checks that ITK does not make."""

from __future__ import annotations

import re
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError

_HEADER_BYTES = 64 * 1024
_MOST_AXES = 10
"""Most axes that ITK's reader has memory for; for a larger number it writes out of bounds."""

_RESCALING = {
    b"ElementToIntensityFunctionSlope": (b"1", b"1.0"),
    b"ElementToIntensityFunctionOffset": (b"0", b"0.0"),
}
"""Fields of a factor and an offset of all values, and what says that there is none."""

_NUMBERED_FILES = re.compile(rb"[^%]*%0?[0-9]{0,2}d[^%]*")


def check_metaimage(path: Path) -> None:
    """Raise InputImageError if the header of the .mha or .mhd file at path would mislead ITK's reader.

    These are a number of axes that is missing or impossible, a CompressedData that is neither true nor false (the
    voxels would be uninitialised memory), a factor or an offset of the values (ITK ignores it), and a file name pattern
    with more than a number in it (ITK passes it to printf, which reads and writes memory at its command).
    """
    for key, value in _lines(path):
        if key == b"NDims" and not (value.isdigit() and 1 <= int(value) <= _MOST_AXES):
            raise InputImageError(f"{path} has a MetaImage header with an impossible number of axes.")
        if key == b"CompressedData" and value.lower() not in (b"true", b"false"):
            raise InputImageError(f"{path} has a MetaImage header that does not say whether its voxels are compressed.")
        if key in _RESCALING and value not in _RESCALING[key]:
            raise InputImageError(
                f"{path} has a MetaImage header with a {key.decode()}, which readers ignore; save the values that it "
                "makes of the stored ones."
            )
        if key == b"ElementDataFile" and is_dangerous_pattern(value):
            raise InputImageError(f"{path} has a MetaImage header with an impossible pattern of file names.")


def metaimage_fields(path: Path) -> dict[str, str]:
    """Return the fields of the header by name. Raises InputImageError for a field with two values."""
    fields: dict[str, str] = {}
    for name, value in _lines(path):
        key, text = name.decode("latin-1"), value.decode("utf-8", "replace")
        if fields.setdefault(key, text) != text:
            raise InputImageError(f"{path} has a MetaImage header with two values of {key}; export it again.")
    return fields


def is_dangerous_pattern(names: bytes) -> bool:
    """Return whether a file name pattern, which ITK passes to printf, has more in it than a number of a few digits."""
    return b"%" in names and not _NUMBERED_FILES.fullmatch(names)


def _lines(path: Path) -> list[tuple[bytes, bytes]]:
    """The header's fields and values; ElementDataFile is the last."""
    found = []
    with path.open("rb") as stream:
        for line in stream.read(_HEADER_BYTES).splitlines():
            key, mark, value = (part.strip() for part in line.partition(b"="))
            if mark:
                found.append((key, value))
            if mark and key == b"ElementDataFile":
                break
    return found
