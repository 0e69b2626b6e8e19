"""Copies of slices that the image reader misreads, in a form that it reads correctly.

GDCM inverts the values of MONOCHROME1, which only describes their display, and reads position and rescaling in few
classes of objects only. Every version reads a copy correctly that is a plain CT slice with nothing but pixels,
position and rescaling.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.stack import MONOCHROME_1
from LightMedSegLib.io.dicom.tags import SliceTags, pydicom_package
from LightMedSegLib.storage.temporary_folder import temporary_folder

_CT = "1.2.840.10008.5.1.4.1.1.2"
_READ_RIGHT = frozenset((_CT, "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128"))
"""Slices of CT, MR and PET."""

_GREY = (MONOCHROME_1, "MONOCHROME2")
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
        copies = []
        for number, one in enumerate(slices):
            copy = place / f"{number:06d}.dcm"
            _write_copy(one, number, copy, folder)
            copies.append(str(copy))
        yield copies


def _needs_copy(one: SliceTags) -> bool:
    if one.photometric not in _GREY:
        return False
    # Some versions of ITK turn a series with a negative distance upside down.
    turned = one.distance is not None and one.distance <= 0
    return one.photometric == MONOCHROME_1 or not one.classes <= _READ_RIGHT or turned


def _write_copy(one: SliceTags, number: int, copy: Path, folder: Path) -> None:
    pydicom = pydicom_package()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            slice_ = pydicom.dcmread(one.file, force=True)
            kept = {pydicom.datadict.tag_for_keyword(keyword) for keyword in _PIXEL_TAGS}
            for tag in set(slice_.keys()) - kept:
                del slice_[tag]
            slice_.file_meta.MediaStorageSOPClassUID = slice_.SOPClassUID = _CT
            slice_.file_meta.MediaStorageSOPInstanceUID = f"{_MEANINGLESS_UID}.1.{number + 1}"
            slice_.SOPInstanceUID = f"{_MEANINGLESS_UID}.1.{number + 1}"
            slice_.Modality, slice_.PhotometricInterpretation = "CT", "MONOCHROME2"
            slice_.ImagePositionPatient = [_decimal(value) for value in one.position]
            slice_.ImageOrientationPatient = [_decimal(value) for value in (*one.row, *one.column)]
            slice_.PixelSpacing = [_decimal(value) for value in one.spacing[::-1]]
            slice_.RescaleSlope, slice_.RescaleIntercept = _decimal(one.slope), _decimal(one.intercept)
            slice_.save_as(copy)
    except OSError as error:
        raise InputImageError(f"A copy of the DICOM slices cannot be written to {copy.parent}: {error}.") from error
    except Exception as error:  # A damaged slice makes pydicom raise almost anything.
        raise InputImageError(f"{folder} has a damaged DICOM slice; copy or export the series again.") from error


def _decimal(value: float) -> str:
    """At most 16 characters, which is all that DICOM allows."""
    return next(text for digits in range(12, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)
