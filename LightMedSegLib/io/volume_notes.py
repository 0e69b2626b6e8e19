"""Sentences for the user that travel with a volume from its file to the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk

_KEY = "LightMedSeg_Notes"
"""Of the image's metadata; no result is written with metadata of the scan."""


def set_notes(image: sitk.Image, notes: Iterable[str]) -> None:
    """Let image carry these notes, and no others: a file may come with metadata of this name."""
    text = "\n".join(notes)
    if text:
        image.SetMetaData(_KEY, text)
    elif image.HasMetaDataKey(_KEY):
        image.EraseMetaData(_KEY)


def notes_of(image: sitk.Image) -> list[str]:
    """The notes that image carries, one sentence each."""
    return image.GetMetaData(_KEY).split("\n") if image.HasMetaDataKey(_KEY) else []
