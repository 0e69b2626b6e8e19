"""The sizes of the scans of a cohort, and the memory that segmenting them needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.inference.memory import needed_bytes
from LightMedSegLib.model.card import ModelCard

_LOOKED_AT = 16
"""Scans whose headers are read: those with the largest files, which are the largest scans unless compression differs
much."""


def largest_need(tasks: Sequence[ScanTask], card: ModelCard) -> int:
    """Bytes of memory that the largest of the scans needs; scans whose header cannot be read do not count."""
    with without_native_messages():
        return max((_need(task.scan.images[0], card) for task in largest_first(tasks)[:_LOOKED_AT]), default=0)


def largest_first(tasks: Sequence[ScanTask]) -> list[ScanTask]:
    """Return the tasks sorted by the sizes of their files, those of equal size in the order given."""
    return sorted(tasks, key=lambda task: _bytes_of(task.scan.images[0]), reverse=True)


def _need(image: Path, card: ModelCard) -> int:
    import SimpleITK as sitk

    files = _files_of(image)
    reader = sitk.ImageFileReader()
    try:
        reader.SetFileName(str(files[0]))
        reader.ReadImageInformation()
        size, spacing = reader.GetSize()[:3], reader.GetSpacing()[:3]
        scalar = sitk.Image([1, 1, 1], reader.GetPixelID()).GetSizeOfPixelComponent()
        # A folder of DICOM slices is as deep as it has files.
        return needed_bytes((*size[:2], max(size[2], len(files))), spacing, card, scalar)
    except (RuntimeError, IndexError, ValueError, ArithmeticError):
        # Two axes, or a header with impossible numbers: the scan fails later, alone.
        return 0


def _bytes_of(image: Path) -> int:
    try:
        return sum(file.stat().st_size for file in _files_of(image))
    except OSError:
        return 0


def _files_of(image: Path) -> list[Path]:
    try:
        return [path for path in image.iterdir() if path.is_file()] if image.is_dir() else [image]
    except OSError:
        return []
