"""The sample scans, for scripts."""

from LightMedSegLib.io.sample_data import (
    sample_path,
)

__all__ = [
    "sample_path",
]
