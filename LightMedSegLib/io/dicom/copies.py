"""Copies of slices that the image reader misreads, and of frames, in a form that it reads correctly.

GDCM inverts the values of MONOCHROME1, which only describes their display, and reads position and rescaling in few
classes of objects only. Every version reads a copy correctly that is a plain CT slice with nothing but pixels,
position and rescaling.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.header import frame_count, pydicom_package
from LightMedSegLib.io.dicom.stack import MONOCHROME_1
from LightMedSegLib.io.dicom.tags import GREY, SliceTags
from LightMedSegLib.storage.temporary_folder import temporary_folder

_CT = "1.2.840.10008.5.1.4.1.1.2"
_READ_RIGHT = frozenset((_CT, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"))
"""Slices of CT, MR and PET."""

_PIXEL_TAGS = (
    "SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData",
    "FloatPixelData", "DoubleFloatPixelData",
)  # fmt: skip
_MEANINGLESS_UID = "1.2.826.0.1.3680043.2.1125"


@contextmanager
def readable_files(slices: Sequence[SliceTags], folder: Path) -> Iterator[list[str]]:
    """Yield a file for each slice that the image reader reads correctly: the original, or a temporary copy.

    Copies are in a folder that only the user can read, and contain no patient data. Raises InputImageError, beginning
    with folder, for damaged slices.
    """
    if not any(_needs_copy(one) for one in slices):
        yield [one.file for one in slices]
        return
    with temporary_folder(folder) as place:
        copies = [place / f"{number:06d}.dcm" for number in range(len(slices))]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for number, one, pixels in _with_pixels(slices):
                    _write_copy(one, pixels, number, copies[number])
        except OSError as error:
            raise InputImageError(f"A copy of the DICOM slices cannot be written to {place}: {error}.") from error
        except Exception as error:  # A damaged slice makes pydicom raise almost anything.
            raise InputImageError(f"{folder} has a damaged DICOM slice; copy or export the series again.") from error
        yield [str(copy) for copy in copies]


def _needs_copy(one: SliceTags) -> bool:
    if one.photometric not in GREY:
        return False
    # Some versions of ITK turn a series with a negative distance upside down.
    turned = one.distance is not None and one.distance <= 0
    return one.photometric == MONOCHROME_1 or not one.classes <= _READ_RIGHT or turned or one.index is not None


def _with_pixels(slices: Sequence[SliceTags]) -> Iterator[tuple[int, SliceTags, Any]]:
    """Yield the number of each slice, the slice, and an object with its pixels and nothing else, until the next.

    Each file is read once: the slices come file by file.
    """
    pydicom = pydicom_package()
    kept = {pydicom.datadict.tag_for_keyword(keyword) for keyword in _PIXEL_TAGS}
    by_file = sorted(enumerate(slices), key=_file_of)
    for file, group in groupby(by_file, key=_file_of):
        pixels = pydicom.dcmread(file, force=True)
        frames = None if frame_count(pixels) == 1 else _frames(pydicom.encaps, pixels)
        for tag in set(pixels.keys()) - kept:
            del pixels[tag]
        for number, one in group:
            if frames is not None:
                pixels.PixelData = frames[one.index or 0]
            yield number, one, pixels


def _file_of(numbered: tuple[int, SliceTags]) -> str:
    return numbered[1].file


def _frames(encaps: Any, whole: Any) -> list[bytes]:
    """Return the pixel data of each frame of an object, as an object of one frame has it."""
    data, count = whole.PixelData, frame_count(whole)
    if not whole.file_meta.TransferSyntaxUID.is_compressed:
        length = whole.Rows * whole.Columns * whole.BitsAllocated // 8
        return [data[at : at + length] for at in range(0, count * length, length)]
    if hasattr(encaps, "generate_frames"):
        frames = encaps.generate_frames(data, number_of_frames=count)
    else:  # pydicom before 3
        frames = encaps.generate_pixel_data_frame(data, count)
    return [encaps.encapsulate([frame]) for frame in frames]


def _write_copy(one: SliceTags, pixels: Any, number: int, copy: Path) -> None:
    pixels.file_meta.MediaStorageSOPClassUID = pixels.SOPClassUID = _CT
    pixels.file_meta.MediaStorageSOPInstanceUID = f"{_MEANINGLESS_UID}.1.{number + 1}"
    pixels.SOPInstanceUID = f"{_MEANINGLESS_UID}.1.{number + 1}"
    pixels.Modality, pixels.PhotometricInterpretation = "CT", "MONOCHROME2"
    pixels.ImagePositionPatient = [_decimal(value) for value in one.position]
    pixels.ImageOrientationPatient = [_decimal(value) for value in (*one.row, *one.column)]
    pixels.PixelSpacing = [_decimal(value) for value in one.spacing[::-1]]
    pixels.RescaleSlope, pixels.RescaleIntercept = _decimal(one.slope), _decimal(one.intercept)
    pixels.save_as(copy)


def _decimal(value: float) -> str:
    """At most 16 characters, which is all that DICOM allows."""
    return next(text for digits in range(12, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)
