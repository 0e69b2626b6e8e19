"""Reading volumes, for scripts."""

from LightMedSegLib.io.volume_files import (
    VOLUME_SUFFIXES,
    read_volume,
)

__all__ = [
    "VOLUME_SUFFIXES",
    "read_volume",
]
