"""Checks of a MetaImage file that ITK leaves out."""

from __future__ import annotations

from pathlib import Path

from LightMedSegLib.errors import InputImageError

_HEADER_BYTES = 64 * 1024
_MOST_AXES = 10
"""ITK's reader has room for so many, and writes beyond it without a look when a header says more."""


def check_metaimage(path: Path) -> None:
    """Raise InputImageError if the .mha or .mhd file at path does not say how many axes it has, or says nonsense."""
    with path.open("rb") as stream:
        lines = stream.read(_HEADER_BYTES).splitlines()
    for line in lines:
        key, mark, value = line.partition(b"=")
        if mark and key.strip() == b"NDims":
            if value.strip().isdigit() and 1 <= int(value) <= _MOST_AXES:
                continue
            raise InputImageError(f"{path} has a MetaImage header with an impossible number of axes.")
        if key.strip() == b"ElementDataFile":
            return
