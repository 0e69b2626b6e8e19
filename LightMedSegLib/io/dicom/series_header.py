"""What a folder of DICOM files holds: which series, how many files of each, and why one of them is no scan.

Values of headers stay in memory: no text made here names a patient, a study or a series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LightMedSegLib.io.dicom.header import header_of, text_of, value_of
from LightMedSegLib.io.dicom.tags import CONVERT, ENHANCED
from LightMedSegLib.io.scan_tags import BODY_PART, MODALITY, SOP_CLASS, scan_tags

DERIVED = "its values are derived from other images (--derived segments it too)"

_PREFIX_AT, _PREFIX = 128, b"DICM"
_START_BYTES = 2**14
"""What is read of a file to recognise its series: in nearly all files, the UIDs lie within it."""

_TAGS = [
    "SOPClassUID", "Modality", "ImageType", "NumberOfFrames", "Rows", "StudyInstanceUID", "SeriesInstanceUID",
]  # fmt: skip

_NO_IMAGES = {
    "RTSTRUCT": "a structure set", "RTPLAN": "a treatment plan", "RTDOSE": "a dose distribution",
    "RTRECORD": "a treatment record", "RTIMAGE": "a projection image", "SEG": "a segmentation", "SR": "a report",
    "DOC": "a document", "KO": "a selection of images", "PR": "a presentation state", "REG": "a registration",
}  # fmt: skip
"""Modalities whose objects are no stacks of slices."""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_LOCALIZERS = ("LOCALIZER", "SCOUT")


@dataclass(frozen=True)
class FolderSeries:
    """One series directly in a folder.

    uid: its identifier. files: how many it has. modality: DICOM's code, "" if unknown. reason: why it is no scan that
    can be segmented, "" if it may be one. derived: whether it was computed from other images.
    """

    uid: str
    files: int
    modality: str
    reason: str
    derived: bool


def folder_series(files: Sequence[Path]) -> list[FolderSeries]:
    """Return the series of the DICOM files among files, in the order of their first files.

    One header of each series is parsed; the other files are recognised by the bytes of their UIDs. Files that cannot
    be read and files without a series, such as a DICOMDIR, are left out.
    """
    first: dict[str, Any] = {}
    counts: dict[str, int] = {}
    marks: dict[bytes, str] = {}
    for file in files:
        start = _start(file)
        if start is None:
            continue
        uid = next((uid for mark, uid in marks.items() if mark in start), None)
        if uid is None:
            header = header_of(file, _TAGS)
            uid = text_of(header, "SeriesInstanceUID")
            if not uid:
                continue
            first.setdefault(uid, header)
            marks.update(dict.fromkeys(_marks(text_of(header, "StudyInstanceUID"), uid), uid))
        counts[uid] = counts.get(uid, 0) + 1
    return [_described(uid, counts[uid], header) for uid, header in first.items()]


def _start(file: Path) -> bytes | None:
    """The first bytes of a DICOM file; None for any other and for one that cannot be read."""
    try:
        with file.open("rb") as stream:
            start = stream.read(_START_BYTES)
    except OSError:
        return None
    return start if start[_PREFIX_AT:].startswith(_PREFIX) else None


def _marks(study: str, series: str) -> Iterator[bytes]:
    """The bytes of both UIDs, one after the other as in no sequence, in the two common transfer syntaxes.

    A structure set names the series that it was drawn on, but not directly after the study's UID.
    """
    if not study:
        return
    values = [(place, _even(uid)) for place, uid in ((b"\x20\x00\x0d\x00", study), (b"\x20\x00\x0e\x00", series))]
    yield b"".join(tag + b"UI" + len(uid).to_bytes(2, "little") + uid for tag, uid in values)
    yield b"".join(tag + len(uid).to_bytes(4, "little") + uid for tag, uid in values)


def _even(uid: str) -> bytes:
    text = uid.encode("ascii", "replace")
    return text + b"\0" * (len(text) % 2)


def _described(uid: str, files: int, header: Any) -> FolderSeries:
    values = {MODALITY: text_of(header, "Modality"), SOP_CLASS: text_of(header, "SOPClassUID"), BODY_PART: ""}
    modality = scan_tags(lambda key: values[key]).modality
    kind = _kind(header)
    return FolderSeries(uid, files, modality, _reason(header, files, modality, kind), kind[:1] == ["DERIVED"])


def _reason(header: Any, files: int, modality: str, kind: Sequence[str]) -> str:
    if modality in _NO_IMAGES:
        return f"it is {_NO_IMAGES[modality]}"
    if text_of(header, "SOPClassUID").startswith(_SECONDARY_CAPTURE):
        return "it is a screen capture"
    if not text_of(header, "Rows"):
        return "it holds no images"
    if any(word in value for value in kind for word in _LOCALIZERS):
        return "it is a localizer"
    several = text_of(header, "NumberOfFrames") not in ("", "0", "1")
    if several and text_of(header, "SOPClassUID") not in ENHANCED:
        return f"it is a multi-frame object that is no enhanced CT, MR or PET ({CONVERT})"
    return "it is a single slice" if files == 1 and not several else ""


def _kind(header: Any) -> list[str]:
    """The values of ImageType."""
    value = value_of(header, "ImageType") or []
    return [str(one).strip().upper() for one in ([value] if isinstance(value, str) else value)]
