"""DICOM tags about the kind of a scan; they stay with the image in memory and are never written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import SimpleITK as sitk

MODALITY, BODY_PART, SOP_CLASS = "0008|0060", "0018|0015", "0008|0016"
"""ITK's keys of the tags Modality, BodyPartExamined and SOPClassUID, none of which identifies the patient."""

_CODE = re.compile(r"[A-Z0-9_ ./&-]{1,16}")
"""Form of DICOM code strings; any other text, such as a name, is discarded."""

_SAYS_NOTHING = ("", "OT")
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_CLASSES = {
    "2": "CT", "2.1": "CT", "2.2": "CT", "4": "MR", "4.1": "MR", "4.4": "MR", "128": "PT", "128.1": "PT", "130": "PT",
    "20": "NM", "3.1": "US", "6.1": "US", "6.2": "US",
}  # fmt: skip


@dataclass(frozen=True)
class ScanTags:
    """modality: DICOM's code, from the class of the object where it is missing; body_part: its code; "" if unknown."""

    modality: str = ""
    body_part: str = ""


def scan_tags(value_of: Callable[[str], str]) -> ScanTags:
    """The tags of a scan; value_of gives the value of a tag as ITK calls it, "" where there is none."""
    modality, body_part = (_code(value_of(key)) for key in (MODALITY, BODY_PART))
    if modality in _SAYS_NOTHING:
        modality = _CLASSES.get(value_of(SOP_CLASS).strip(" \0").removeprefix(_STORAGE), "")
    return ScanTags(modality, body_part)


def tags_of(image: sitk.Image) -> ScanTags:
    """Return the tags of an image: from read_volume, or from ITK's reader for a single DICOM file."""
    return scan_tags(lambda key: image.GetMetaData(key) if image.HasMetaDataKey(key) else "")


def keep_tags(image: sitk.Image, tags: ScanTags) -> None:
    """Attach tags to image, for tags_of."""
    image.SetMetaData(MODALITY, tags.modality)
    image.SetMetaData(BODY_PART, tags.body_part)


def _code(text: str) -> str:
    text = text.strip(" \0").upper()
    return text if _CODE.fullmatch(text) else ""
