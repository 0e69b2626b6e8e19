"""A volume from a folder of DICOM slices; an error if slices are missing or ambiguous.

Only geometry, slice counts and the kind of scan are read; no patient data is read, shown or stored.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.copies import readable_files
from LightMedSegLib.io.dicom.header import frame_count, header_of, text_of
from LightMedSegLib.io.dicom.stack import refuse_damaged, stack_of
from LightMedSegLib.io.dicom.tags import ENHANCED, slices_of
from LightMedSegLib.io.dicom.time_order import time_points
from LightMedSegLib.io.headers.stated_geometry import settle_geometry
from LightMedSegLib.io.scan_tags import BODY_PART, MODALITY, SOP_CLASS, keep_tags, scan_tags
from LightMedSegLib.storage.file_names import check_readable_name

_SERIES_NUMBER = "0020|0011"
_MODALITY = "0008|0060"

# In the file's own header, which is the same in every transfer syntax: the kind of object, here CT, MR and PET.
_MAGIC_AT, _MAGIC = 128, b"DICM"
_SLICE_CLASS = re.compile(
    rb"\x02\x00\x02\x00UI..1\.2\.840\.10008\.5\.1\.4\.1\.1\.(2|4|128|2\.[12]|4\.[14]|130|128\.1)\x00?\x02\x00",
    re.DOTALL,
)

_LARGE_PIXELS, _STRONGEST_COMPRESSION = 2**24, 1000


@dataclass(frozen=True)
class DicomSeries:
    """One series of a folder: its identifier and files, and how many slices they hold."""

    uid: str
    files: tuple[str, ...]
    slices: int


def read_dicom_folder(folder: Path, series: int | None = None, frame: int | None = None) -> sitk.Image:
    """Return the volume of the only series in folder, or of number ``series`` (from 1) among several.

    ``frame`` chooses one of its time points, from 0.
    Series of a single slice (scouts, structure sets) are ignored if one longer series remains.
    Raises InputImageError.
    """
    chosen = _choose(folder, list_series(folder), series)
    _refuse_absurd_size(folder, chosen.files[0])
    stack = stack_of(folder, chosen.files, frame)
    reader = sitk.ImageSeriesReader()
    with readable_files(stack.slices, folder) as files, without_itk_warnings():
        reader.SetFileNames(files)
        if len({(one.slope, one.intercept) for one in stack.slices}) > 1:
            # ITK would take the first slice's type for all, and cut off what the others' values have more.
            reader.SetOutputPixelType(sitk.sitkFloat64)
        try:
            image = reader.Execute()
        except (RuntimeError, MemoryError) as error:
            raise InputImageError(
                f"{folder} holds a DICOM series that cannot be read as one volume: a file is damaged, or its "
                "slices differ in size."
            ) from error
    settle_geometry(image, stack.stated, str(folder))
    # Not from the reader: a slice may have been read from a copy without these tags.
    first = stack.slices[0]
    values = {MODALITY: first.modality, BODY_PART: first.body_part, SOP_CLASS: min(first.classes, default="")}
    keep_tags(image, scan_tags(lambda key: values[key]))
    return image


def count_time_points(folder: Path, series: int | None = None) -> int:
    """Return how many slices the series of :func:`read_dicom_folder` has at each position. Raises InputImageError."""
    files = _choose(folder, list_series(folder), series).files
    return len(time_points(folder, [one for file in files for one in slices_of(file, folder)]))


def is_dicom(path: Path) -> bool:
    """Return whether the file has the DICOM prefix; raises OSError if it cannot be read."""
    with path.open("rb") as stream:
        return stream.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def series_files(folder: Path, series: int | None = None) -> tuple[str, ...]:
    """Return the files of the series of :func:`read_dicom_folder`; file k is slice k. Raises InputImageError."""
    return stack_of(folder, _choose(folder, list_series(folder), series).files).files


def list_series(folder: Path) -> list[DicomSeries]:
    """Return the DICOM series directly in folder, longest first. Raises InputImageError if there is none."""
    _refuse_unreadable(folder)
    with without_itk_warnings():
        try:
            uids = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        except RuntimeError as error:
            raise InputImageError(f"{folder} has a damaged DICOM file; copy or export the series again.") from error
        files = [tuple(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)) for uid in uids]
    found = [DicomSeries(uid, names, _count_slices(names)) for uid, names in zip(uids, files, strict=True)]
    for file in (file for one in found for file in one.files):
        check_readable_name(Path(file), InputImageError)
    _refuse_damaged(folder, found)
    if not found:
        raise InputImageError(f"{folder} is a folder without DICOM images; give the folder that holds the slices.")
    return sorted(found, key=lambda one: (-one.slices, one.uid))


def _count_slices(files: Sequence[str]) -> int:
    """Return the number of files or, of enhanced objects, of their frames."""
    headers = (header_of(file, ("NumberOfFrames", "SOPClassUID")) for file in files)
    first = next(headers, None)
    # Of a series of single slices, which may have thousands of files, one header is enough.
    if text_of(first, "SOPClassUID") not in ENHANCED:
        return len(files)
    return frame_count(first) + sum(frame_count(header) for header in headers)


def _refuse_unreadable(folder: Path) -> None:
    """Raise InputImageError for a folder or a file in it without read permission: GDCM skips it silently."""
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
    """Raise InputImageError if there are slices that GDCM leaves out, such as truncated files.

    Without this check, a series with a damaged first or last file would be read as a shorter one. A file that is empty
    or cut before DICOM's mark is recognised by the ending of the others' names; hidden files, such as macOS makes, are
    ignored.
    """
    listed = {Path(file).name for one in found for file in one.files}
    endings = {Path(name).suffix for name in listed} - {""}
    damaged = 0
    for path in folder.iterdir():
        if path.name not in listed and path.is_file():
            start = b""
            with suppress(OSError), path.open("rb") as stream:
                start = stream.read(1024)[_MAGIC_AT:]
            if start.startswith(_MAGIC):
                damaged += _SLICE_CLASS.search(start) is not None
            else:
                damaged += path.suffix in endings and not path.name.startswith(".")
    refuse_damaged(folder, damaged)


def _refuse_absurd_size(folder: Path, first: str) -> None:
    """Raise InputImageError if a slice claims far more pixels than any compression can store in its file.

    ITK allocates memory for all slices at the size of the first one before it reads them.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(first)
    with without_itk_warnings(), suppress(RuntimeError):
        reader.ReadImageInformation()
        pixels = math.prod(reader.GetSize())
        if pixels > _LARGE_PIXELS and pixels > _STRONGEST_COMPRESSION * Path(first).stat().st_size:
            raise InputImageError(f"{folder} has a damaged DICOM slice; copy or export the series again.")


def _choose(folder: Path, found: list[DicomSeries], series: int | None) -> DicomSeries:
    if series is not None:
        if not 1 <= series <= len(found):
            raise InputImageError(f"{folder} has {len(found)} DICOM series; there is no series {series}.")
        return found[series - 1]
    volumes = [one for one in found if one.slices > 1]
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
    return f"series number {number}, {modality}, {one.slices} slices"


@contextmanager
def without_itk_warnings() -> Iterator[None]:
    """Silence ITK's warnings on the console; the readers check what matters in them."""
    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)
