"""Position and rescaling of each slice of a DICOM series, read with pydicom.

The image reader reads these tags in few classes of objects only, and not in the functional groups of enhanced ones;
for others it assumes 1 mm at (0, 0, 0). No patient data is read, shown or stored.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.header import frame_count, pydicom_package, text_of, value_of
from LightMedSegLib.io.headers.stated_geometry import SAME_LENGTH
from LightMedSegLib.io.volume_checks import ORTHOGONALITY_TOLERANCE

_GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
"""The functional group that has each of these in an enhanced object."""

_GROUP_SEQUENCES = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_DETECTORS = "DetectorInformationSequence"
"""The sequences with the position of slices in nuclear medicine."""

MOMENTS = ("TemporalPositionIdentifier", "TriggerTime", "InstanceNumber", "AcquisitionTime")
"""What orders the slices at one position in time; few scanners write the first two.

ContentTime is not among them: it says when an image was reconstructed. The time of day is compared and nothing else.
"""

ECHOES = ("EchoTime", "EchoNumbers")
CONTRASTS = (*ECHOES, "ImageType", "DiffusionBValue")
"""What tells images of other contrast at one position apart: echoes, magnitude and phase, diffusion weightings."""

ENHANCED = frozenset(f"1.2.840.10008.5.1.4.1.1.{end}" for end in ("2.1", "2.2", "4.1", "4.4", "130", "128.1"))
"""Multi-frame objects whose frames are slices: CT, MR and PET, new and converted from single slices."""

GREY = ("MONOCHROME1", "MONOCHROME2")
CONVERT = "load it in 3D Slicer and segment it there, or convert it with dcm2niix"

_UNCOMPRESSED = {"1.2.840.10008.1.2": 8, "1.2.840.10008.1.2.1": 12, "1.2.840.10008.1.2.2": 12}
"""Transfer syntaxes that store pixels as they are: the bytes of tag, type and length before them."""

_PIXEL_COUNTS = ("Rows", "Columns", "SamplesPerPixel")

_TAGS = [
    *_GROUPS, *_GROUP_SEQUENCES, _DETECTORS, *MOMENTS, *CONTRASTS, "BodyPartExamined", "FrameOfReferenceUID",
    "ImagerPixelSpacing", "Modality", "NumberOfFrames", "PhotometricInterpretation", "SOPClassUID", *_PIXEL_COUNTS,
    "BitsAllocated",
]  # fmt: skip

_KEPT_SLICES = 10_000
"""Slices that stay in memory, of one or two kilobytes each."""

_UNIT_TOLERANCE = 0.01
"""Tolerance of the length of direction cosines, which some programs write with two or three digits."""


@dataclass(frozen=True)
class SliceTags:
    """One slice. Directions and position are LPS, lengths mm.

    row, column: directions of x and y, orthogonal unit vectors. spacing: (x, y). imager_spacing: spacing on the
    detector, None if it is not given. distance: SpacingBetweenSlices, None if it is not given. slope and intercept:
    rescaling of the stored values. frame: the frame of reference of the position. photometric, modality, body_part and
    classes (of the object and of its file, which should be the same): as in the object. complete: whether the file is
    long enough for its pixels. moment: rises with the time of slices at one position, and is equal where no tag
    tells them apart. contrast: the texts of CONTRASTS. index: of the frame, from 0, in an object of several.
    """

    file: str
    position: NDArray[np.float64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    spacing: NDArray[np.float64]
    imager_spacing: NDArray[np.float64] | None
    distance: float | None
    slope: float
    intercept: float
    frame: str
    photometric: str
    modality: str
    body_part: str
    classes: frozenset[str]
    complete: bool
    moment: tuple[float, ...] = ()
    contrast: tuple[str, ...] = ()
    index: int | None = None


def read_slice_tags(file: str, folder: Path) -> SliceTags:
    """Return the only slice in file; raises InputImageError, beginning with folder, if it is no slice of a series."""
    slices = slices_of(file, folder)
    if len(slices) > 1:
        raise InputImageError(f"{folder} has a DICOM file of several frames; {CONVERT}.")
    return slices[0]


def slices_of(file: str, folder: Path) -> tuple[SliceTags, ...]:
    """Return the slices in file: one, or the frames of an enhanced object; raises InputImageError."""
    try:
        status = Path(file).stat()
    except OSError:
        return _slices_of(file, folder)
    try:
        # Each time point of a series needs the headers of all.
        return (_kept_slice(file, folder, (status.st_ino, status.st_size, status.st_mtime_ns)),)
    except _SeveralFrames as found:
        return found.slices


class _SeveralFrames(Exception):  # noqa: N818 - no error: what a function raises does not stay in its cache.
    """The slices of a file of several frames, which are no time points and would fill the memory."""

    def __init__(self, slices: tuple[SliceTags, ...]) -> None:
        super().__init__()
        self.slices = slices


@lru_cache(maxsize=_KEPT_SLICES)
def _kept_slice(file: str, folder: Path, state: tuple[int, int, int]) -> SliceTags:
    """Return the only slice in file; raises _SeveralFrames. state: of the file, which is read again once changed."""
    slices = _slices_of(file, folder)
    if len(slices) > 1:
        raise _SeveralFrames(slices)
    return slices[0]


def _slices_of(file: str, folder: Path) -> tuple[SliceTags, ...]:
    one, bytes_left = _dataset(file, folder)
    complete = bytes_left >= _pixel_bytes(one)
    count = frame_count(one)
    if count == 1:
        return (_slice_tags(file, folder, one, complete),)
    places = value_of(one, _GROUP_SEQUENCES[1]) or []
    plain = text_of(one, "SOPClassUID") in ENHANCED and text_of(one, "PhotometricInterpretation") in GREY
    if not plain or not 0 < count == len(places):
        raise InputImageError(
            f"{folder} has a DICOM file of several frames that is no enhanced CT, MR or PET object with a position for "
            f"each; {CONVERT}."
        )
    return tuple(_slice_tags(file, folder, one, complete, index) for index in range(count))


def _slice_tags(file: str, folder: Path, one: Any, complete: bool, index: int | None = None) -> SliceTags:
    position = _stated(one, "ImagePositionPatient", 3, folder, index)
    orientation = _stated(one, "ImageOrientationPatient", 6, folder, index)
    if position is None or orientation is None:
        raise InputImageError(f"{folder} has a DICOM slice without position and orientation; it is no 3D series.")
    spacing = _stated(one, "PixelSpacing", 2, folder, index)
    if spacing is None or (spacing <= 0).any():
        raise InputImageError(f"{folder} has a DICOM slice without pixel spacing; it is no 3D series.")
    imager = _stated(one, "ImagerPixelSpacing", 2, folder, index)
    distance, slope, intercept = (
        None if values is None else float(values[0])
        for values in (
            _stated(one, key, 1, folder, index) for key in ("SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept")
        )
    )
    row, column = _at_right_angles(orientation, folder)
    classes = one.get("SOPClassUID"), one.file_meta.get("MediaStorageSOPClassUID")
    return SliceTags(
        file=file,
        position=position,
        row=row,
        column=column,
        # DICOM gives the distance between rows first.
        spacing=spacing[::-1],
        imager_spacing=None if imager is None else imager[::-1],
        distance=distance,
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        frame=text_of(one, "FrameOfReferenceUID"),
        photometric=text_of(one, "PhotometricInterpretation"),
        modality=text_of(one, "Modality"),
        body_part=text_of(one, "BodyPartExamined"),
        classes=frozenset(str(uid).strip() for uid in classes if uid),
        complete=complete,
        moment=tuple(_number(one, key) for key in MOMENTS),
        contrast=tuple(text_of(one, key) for key in CONTRASTS),
        index=index,
    )


def _dataset(file: str, folder: Path) -> tuple[Any, int]:
    """Return the object without its pixels, and how many bytes of the file come after what was read."""
    pydicom = pydicom_package()
    try:
        # Its warnings would show values of the header.
        with warnings.catch_warnings(), Path(file).open("rb") as stream:
            warnings.simplefilter("ignore")
            one = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=_TAGS)
            return one, os.fstat(stream.fileno()).st_size - stream.tell()
    except Exception as error:  # A damaged header makes pydicom raise almost anything.
        raise InputImageError(f"{folder} has a damaged DICOM slice; copy or export the series again.") from error


def _pixel_bytes(one: Any) -> int:
    """Return how many bytes the pixel data of an uncompressed object take in its file; 0 where that is not known.

    SimpleITK before 2.5.7 fills up a slice that is cut short with zeros.
    """
    counts = [one.get(key) for key in (*_PIXEL_COUNTS, "BitsAllocated")]
    start = _UNCOMPRESSED.get(str(one.file_meta.get("TransferSyntaxUID")))
    if start is None or not all(isinstance(count, int) for count in counts):
        return 0
    return start + frame_count(one) * math.prod(counts) // 8


def _stated(one: Any, keyword: str, count: int, folder: Path, index: int | None) -> NDArray[np.float64] | None:
    """Return the numbers of a tag at one or several places of an object, None if it has none.

    Raises InputImageError if they are no numbers, or differ.
    """
    found: list[NDArray[np.float64]] = []
    for place in _places(one, keyword, index or 0):
        values = _numbers(place, keyword)
        if values is None:
            continue
        if values.shape != (count,) or not np.isfinite(values).all():
            raise InputImageError(f"{folder} has a DICOM slice whose {keyword} is damaged; export the series again.")
        if found and not np.allclose(values, found[0], rtol=SAME_LENGTH, atol=SAME_LENGTH):
            raise InputImageError(
                f"{folder} has a DICOM slice that gives two different values of {keyword}; export the series again."
            )
        found.append(values)
    return found[0] if found else None


def _places(one: Any, keyword: str, index: int) -> Iterator[Any]:
    yield one
    if keyword not in _GROUPS:
        return
    yield from (one.get(_DETECTORS) or [])[:1]
    for sequence, at in zip(_GROUP_SEQUENCES, (0, index), strict=True):
        for groups in (one.get(sequence) or [])[at : at + 1]:
            yield from (groups.get(_GROUPS[keyword]) or [])[:1]


def _numbers(place: Any, keyword: str) -> NDArray[np.float64] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = place.get(keyword)
            if value is None or (not isinstance(value, (int, float)) and len(value) == 0):
                return None
            return np.array(value, dtype=np.float64).ravel()
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        return np.array([np.nan])


def _number(one: Any, keyword: str) -> float:
    """The number of a tag that does not have to be right, 0 where it is none."""
    values = _numbers(one, keyword)
    return float(values[0]) if values is not None and np.isfinite(values[:1]).all() else 0.0


def _at_right_angles(orientation: NDArray[np.float64], folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions of row and column, without rounding errors."""
    row, column = orientation[:3], orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if any(abs(length - 1) > _UNIT_TOLERANCE for length in lengths):
        raise InputImageError(
            f"{folder} has a DICOM slice whose ImageOrientationPatient has no direction cosines; export the series "
            "again."
        )
    row, column = row / lengths[0], column / lengths[1]
    along = float(row @ column)
    if abs(along) > 10 * ORTHOGONALITY_TOLERANCE:
        raise InputImageError(
            f"{folder} has a DICOM slice whose rows and columns are not at right angles; export the series again."
        )
    column = column - along * row
    return row, column / np.linalg.norm(column)
