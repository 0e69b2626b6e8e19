"""DICOM series of any class of objects, with the place of the slices at any of the places where objects have it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence

ROOT = "1.2.826.0.1.3680043.2.1125"
CLASSES = {
    "CT": "2", "MR": "4", "PET": "128", "secondary capture": "7", "secondary capture, word": "7.3",
    "enhanced CT": "2.1", "legacy converted CT": "2.2", "enhanced MR": "4.1", "enhanced PET": "130",
    "nuclear medicine": "20", "3D angiography": "13.1.1", "breast tomosynthesis": "13.1.3",
    "computed radiography": "1", "RT image": "481.1", "ultrasound": "6.1",
}  # fmt: skip
"""The ends of the identifiers of classes."""

TOP, SHARED, PER_FRAME, DETECTOR = "top", "shared groups", "groups per frame", "detector"


def stored_values(number: int, signed: bool, bits: int, shape: tuple[int, int] = (5, 6)) -> np.ndarray:
    """Stored values of a slice, over the whole range of its bits."""
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.random.default_rng(number).integers(low, low + 2**bits, shape)
    values[0, 0], values[0, 1] = low, low + 2**bits - 1
    return values.astype("<i2" if signed else "<u2")


def decimal(value: float) -> str:
    """A number in the 16 characters of a decimal string."""
    return f"{value:.9f}"[:16]


def make_slice(
    number: int,
    position: Sequence[float],
    axes: np.ndarray,
    spacing: tuple[float, float],
    *,
    kind: str = "CT",
    where: str = TOP,
    signed: bool = True,
    bits: int = 16,
    values: np.ndarray | None = None,
    **more: Any,
) -> Dataset:
    """One slice. spacing: (x, y). axes: row, column, normal as columns. more: further elements, None for none.

    values: the stored ones, of the type that signed says; random by default.
    """
    one = Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = f"1.2.840.10008.5.1.4.1.1.{CLASSES[kind]}"
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.1.{number + 1}"
    one.StudyInstanceUID, one.SeriesInstanceUID, one.FrameOfReferenceUID = f"{ROOT}.7", f"{ROOT}.8", f"{ROOT}.9"
    one.PatientName, one.PatientID, one.Modality = "Doe^Jane", "MRN123", "CT"
    one.SeriesNumber, one.InstanceNumber = 3, number + 1
    values = stored_values(number, signed, bits) if values is None else values
    one.Rows, one.Columns = values.shape
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 16, bits, bits - 1, int(signed)
    one.PixelData = values.tobytes()
    place_slice(one, where, position, axes, spacing)
    for keyword, value in more.items():
        if value is not None:
            setattr(one, keyword, value)
    return one


def place_slice(
    one: Dataset, where: str, position: Sequence[float], axes: np.ndarray, spacing: tuple[float, float]
) -> None:
    """Say at where in the object how the slice lies."""
    place, plane, measures = Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [decimal(value) for value in position]
    plane.ImageOrientationPatient = [decimal(value) for value in (*axes[:, 0], *axes[:, 1])]
    measures.PixelSpacing = [decimal(spacing[1]), decimal(spacing[0])]
    if where in (TOP, DETECTOR):
        item = one if where == TOP else Dataset()
        for part in (place, plane):
            item.update(part)
        one.update(measures)
        if where == DETECTOR:
            one.DetectorInformationSequence = DicomSequence([item])
        return
    groups = Dataset()
    groups.PlanePositionSequence = DicomSequence([place])
    groups.PlaneOrientationSequence = DicomSequence([plane])
    groups.PixelMeasuresSequence = DicomSequence([measures])
    keyword = "SharedFunctionalGroupsSequence" if where == SHARED else "PerFrameFunctionalGroupsSequence"
    setattr(one, keyword, DicomSequence([groups]))


def as_frames(slices: Sequence[Dataset], order: Sequence[int]) -> Dataset:
    """One object of which slice order[n], placed in its groups per frame, is frame n."""
    one = copy.deepcopy(slices[0])
    one.NumberOfFrames = len(order)
    one.PerFrameFunctionalGroupsSequence = [slices[number].PerFrameFunctionalGroupsSequence[0] for number in order]
    one.PixelData = b"".join(slices[number].PixelData for number in order)
    return one


def write_series(
    folder: Path, slices: Sequence[Dataset], order: Sequence[int], change: Callable[[Dataset], None] | None = None
) -> Path:
    """Write slices under names that sort in the order given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, one in zip(order, slices, strict=True):
        if change is not None:
            change(one)
        pydicom.dcmwrite(folder / f"IM{name:04d}", one, enforce_file_format=True)
    return folder
