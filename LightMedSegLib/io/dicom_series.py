"""A volume from a folder of DICOM slices, refused where slices are missing or ambiguous.

Only geometry and slice counts are looked at; no patient data is read out, shown or kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError

_SERIES_NUMBER = "0020|0011"
_MODALITY = "0008|0060"
_POSITION = "0020|0032"
_ORIENTATION = "0020|0037"
_PIXEL_SPACING = "0028|0030"

# In the file's own header, which is the same in every transfer syntax: the kind of object, here CT, MR and PET slices.
_MAGIC_AT, _MAGIC = 128, b"DICM"
_SLICE_CLASS = re.compile(rb"\x02\x00\x02\x00UI..1\.2\.840\.10008\.5\.1\.4\.1\.1\.(2|4|128)\x00?\x02\x00", re.DOTALL)

_LARGE_PIXELS, _STRONGEST_COMPRESSION = 2**24, 1000

SPACING_TOLERANCE = 0.1
"""Distances between slices may differ by this fraction of their median (scanners round positions)."""

TILT_TOLERANCE = 0.01
"""Allowed sideways shift of a slice against the first, as a fraction of the distance along the normal."""


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder: its identifier and files, sorted by position along the slice normal."""

    uid: str
    files: tuple[str, ...]


def read_dicom_folder(folder: Path, series: int | None = None) -> sitk.Image:
    """The volume of the one series in folder, or of number ``series`` (from 1) among several.

    Series of a single slice (scouts, structure sets) are left aside where one longer series remains.
    Raises InputImageError.
    """
    chosen = _choose(folder, list_series(folder), series)
    if len(chosen.files) < 2:
        raise InputImageError(
            f"{folder} has one DICOM file in the chosen series; a volume needs a file for each of several slices "
            "(convert a multi-frame object to NIfTI or NRRD first)."
        )
    _refuse_absurd_size(folder, chosen.files[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(chosen.files)
    reader.MetaDataDictionaryArrayUpdateOn()
    with _without_itk_warnings():
        try:
            image = reader.Execute()
        except (RuntimeError, MemoryError) as error:
            raise InputImageError(
                f"{folder} holds a DICOM series that cannot be read as one volume: a file is damaged, or its "
                "slices differ in size."
            ) from error
    slices = range(len(chosen.files))
    _check_slices(
        folder,
        [_numbers(reader, n, _POSITION, 3, folder, "position and orientation") for n in slices],
        [_numbers(reader, n, _ORIENTATION, 6, folder, "position and orientation") for n in slices],
    )
    # ITK takes 1 mm where the spacing is missing, and the first slice's for all.
    spacings = np.array([_numbers(reader, n, _PIXEL_SPACING, 2, folder, "pixel spacing") for n in slices])
    if np.abs(spacings - spacings[0]).max() > 1e-3 * spacings[0].max():
        raise InputImageError(f"{folder} has DICOM slices of different pixel spacing; give a folder with one stack.")
    return image


def is_dicom(path: Path) -> bool:
    """Whether the file has DICOM's mark; raises OSError where it cannot be read."""
    with path.open("rb") as stream:
        return stream.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def series_files(folder: Path, series: int | None = None) -> tuple[str, ...]:
    """The files of the series that :func:`read_dicom_folder` reads: file k is slice k. Raises InputImageError."""
    return _choose(folder, list_series(folder), series).files


def list_series(folder: Path) -> list[DicomSeries]:
    """The DICOM series directly in folder, longest first. Raises InputImageError if there is none."""
    _refuse_unreadable(folder)
    with _without_itk_warnings():
        uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        found = [
            DicomSeries(uid, tuple(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid))) for uid in uids
        ]
    _refuse_damaged(folder, found)
    if not found:
        raise InputImageError(f"{folder} is a folder without DICOM images; give the folder that holds the slices.")
    return sorted(found, key=lambda one: (-len(one.files), one.uid))


def _refuse_unreadable(folder: Path) -> None:
    """Raise InputImageError for a folder or a file in it that may not be read: GDCM passes over it without a word."""
    try:
        for path in folder.iterdir():
            if path.is_file():
                with path.open("rb"):
                    pass
    except OSError as error:
        raise InputImageError(
            f"{error.filename or folder} cannot be read ({error.strerror or error}), and without it a slice may be "
            "missing; ask for the permission, or copy the series."
        ) from error


def _refuse_damaged(folder: Path, found: Sequence[DicomSeries]) -> None:
    """Raise InputImageError if there are slices that GDCM leaves out, as it does with files that are cut short.

    Without this a series whose first or last file is damaged would pass for a shorter one.
    """
    listed = {Path(file).name for one in found for file in one.files}
    damaged = 0
    for path in folder.iterdir():
        if path.name not in listed and path.is_file():
            start = b""
            with suppress(OSError), path.open("rb") as stream:
                start = stream.read(1024)[_MAGIC_AT:]
            damaged += start.startswith(_MAGIC) and _SLICE_CLASS.search(start) is not None
    if damaged:
        raise InputImageError(
            f"{folder} has {damaged} DICOM slice(s) that are damaged or incomplete; copy or export the series again."
        )


def _refuse_absurd_size(folder: Path, first: str) -> None:
    """Raise InputImageError if a slice claims far more pixels than any compression could fit into its file.

    ITK takes memory for all slices of the first one's size before it reads them.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(first)
    with _without_itk_warnings(), suppress(RuntimeError):
        reader.ReadImageInformation()
        pixels = math.prod(reader.GetSize())
        if pixels > _LARGE_PIXELS and pixels > _STRONGEST_COMPRESSION * Path(first).stat().st_size:
            raise InputImageError(f"{folder} has a damaged DICOM slice; copy or export the series again.")


def _choose(folder: Path, found: list[DicomSeries], series: int | None) -> DicomSeries:
    if series is not None:
        if not 1 <= series <= len(found):
            raise InputImageError(f"{folder} has {len(found)} DICOM series; there is no series {series}.")
        return found[series - 1]
    volumes = [one for one in found if len(one.files) > 1]
    if len(volumes) > 1:
        choices = "; ".join(f"{n}: {_describe(one)}" for n, one in enumerate(found, start=1))
        raise InputImageError(
            f"{folder} has {len(found)} DICOM series; choose one by its place in this list (--series) or give a "
            f"folder with one series: {choices}."
        )
    return (volumes or found)[0]


def _describe(one: DicomSeries) -> str:
    reader = sitk.ImageFileReader()
    reader.SetFileName(one.files[0])
    reader.ReadImageInformation()
    number, modality = (reader.GetMetaData(key).strip() if reader.HasMetaDataKey(key) else "?"
                        for key in (_SERIES_NUMBER, _MODALITY))  # fmt: skip
    return f"series number {number}, {modality}, {len(one.files)} slices"


def _numbers(reader: sitk.ImageSeriesReader, index: int, key: str, count: int, folder: Path, what: str) -> np.ndarray:
    try:
        values = np.array([float(text) for text in reader.GetMetaData(index, key).split("\\")])
    except (RuntimeError, ValueError):
        values = np.empty(0)
    if values.shape != (count,) or not np.isfinite(values).all():
        raise InputImageError(f"{folder} has a DICOM slice without {what}; it is no 3D series.")
    return values


def _check_slices(folder: Path, positions: Sequence[np.ndarray], orientations: Sequence[np.ndarray]) -> None:
    """Raise InputImageError unless the slices are parallel, evenly spaced and stacked at right angles."""
    if np.abs(np.array(orientations) - orientations[0]).max() > 1e-3:
        raise InputImageError(f"{folder} has DICOM slices that are not parallel; give a folder with one stack.")
    normal = np.cross(orientations[0][:3], orientations[0][3:])
    offsets = np.array(positions) - positions[0]
    along = offsets @ normal
    steps = np.abs(np.diff(along))
    step = float(np.median(steps))
    if steps.min() <= 1e-3 or step <= 1e-3:
        raise InputImageError(
            f"{folder} has several DICOM slices at one position (time points or echoes?); keep one of each."
        )
    if np.abs(steps - step).max() > SPACING_TOLERANCE * step:
        raise InputImageError(
            f"{folder} has DICOM slices at uneven distances ({steps.min():.2f} to {steps.max():.2f} mm): slices are "
            "missing or belong to different stacks."
        )
    sideways = np.linalg.norm(offsets - np.outer(along, normal), axis=1)
    if sideways.max() > TILT_TOLERANCE * np.abs(along).max():
        raise InputImageError(
            f"{folder} has DICOM slices stacked at a slant (tilted gantry); resample it to a rectangular grid first."
        )


@contextmanager
def _without_itk_warnings() -> Iterator[None]:
    """Silence ITK's remarks on the console; what matters in them is checked and said here."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
