"""Notes for the user that stay with a volume from its file to the result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk

_KEY = "LightMedSeg_Notes"
"""Key in the image's metadata; no result is written with metadata of the scan."""


def set_notes(image: sitk.Image, notes: Iterable[str]) -> None:
    """Replace the notes of image, because a file may contain metadata of this name."""
    text = "\n".join(notes)
    if text:
        image.SetMetaData(_KEY, text)
    elif image.HasMetaDataKey(_KEY):
        image.EraseMetaData(_KEY)


def notes_of(image: sitk.Image) -> list[str]:
    """Return the notes of image, one sentence each."""
    return image.GetMetaData(_KEY).split("\n") if image.HasMetaDataKey(_KEY) else []
