"""Volumes from files: NIfTI, NRRD, MetaImage, or a folder with a DICOM series; single frames of files of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom_series import count_time_points, read_dicom_folder
from LightMedSegLib.io.headers.header_geometry import METAIMAGE_SUFFIXES, NIFTI_SUFFIXES, NRRD_SUFFIXES, header_geometry
from LightMedSegLib.io.headers.stated_geometry import check_extent, settle_geometry
from LightMedSegLib.io.lone_file import alone
from LightMedSegLib.io.metaimage_header import check_metaimage
from LightMedSegLib.io.nifti_header import check_nifti
from LightMedSegLib.io.nrrd_header import check_nrrd, nrrd_fields
from LightMedSegLib.io.volume_checks import check_frame, check_layout, check_resolution, check_volume
from LightMedSegLib.storage.decimal_point import decimal_points
from LightMedSegLib.storage.file_names import check_readable_name

VOLUME_SUFFIXES = (*NIFTI_SUFFIXES, *NRRD_SUFFIXES, *METAIMAGE_SUFFIXES)

Layout = Callable[[int, Sequence[int], int, str], None]
"""Raises InputImageError for a number of axes, size and number of components that a reader cannot use; and the name."""

__all__ = ["VOLUME_SUFFIXES", "check_resolution", "check_volume", "count_frames", "read_image", "read_volume"]


@decimal_points
def read_volume(path: str | Path, series: int | None = None, frame: int | None = None) -> sitk.Image:
    """Return the scalar 3D volume in a file or DICOM folder, with the grid and the values of the file.

    Spacing and origin are in mm, directions in ITK's LPS. ``series`` chooses among several series of a
    DICOM folder: the number that the error message about them lists. ``frame`` chooses one of the count_frames volumes
    of a 4D file, a sequence or a DICOM series of several time points, from 0. A NaN in a NIfTI file is read as 0, as
    ITK's reader does and the programs that write such files expect. If the file contradicts itself and a rule of its
    format decides, the volume has a note (volume_notes.notes_of), which becomes one of the result's notes.

    Raises InputImageError, naming the file, for anything that check_volume refuses and for files that cannot be read:
    missing, empty, truncated or damaged files and unknown formats.

    The volume of a DICOM series has its modality and body part, for :func:`scan_tags.tags_of`.
    """
    path = Path(path)
    if path.is_dir():
        check_readable_name(path, InputImageError)
    image = read_dicom_folder(path, series, frame) if path.is_dir() else read_image(path, frame=frame)
    check_extent(image.GetSize(), image.GetSpacing(), str(path))
    check_volume(image, str(path))
    return image


@decimal_points
def count_frames(path: Path, series: int | None = None) -> int:
    """Return how many volumes a file contains: the length of its fourth axis, or that of a sequence of 3D Slicer.

    Of a folder, how many time points its DICOM series has; series is as in read_volume. Only headers are read.
    Raises InputImageError for a file or series that cannot be read.
    """
    if path.is_dir():
        return count_time_points(path, series)
    _check_file(path)
    try:
        with alone(path) as lone:
            reader = _reader(lone)
    except (RuntimeError, MemoryError) as error:
        raise InputImageError(_explain(path, str(error))) from error
    return _frames(reader, path)


@decimal_points
def read_image(path: Path, layout: Layout = check_layout, frame: int | None = None) -> sitk.Image:
    """Return the image in a file with the geometry of its header; its layout is checked, but not its values.

    A fourth axis of length one, which some programs write, is dropped. layout is called before the voxels are read;
    the default, check_layout, accepts scalar 3D images. frame: as in read_volume. Raises InputImageError.
    """
    _check_file(path)
    try:
        with alone(path) as lone:
            image = _read(lone, str(path), layout) if frame is None else _read_frame(lone, str(path), layout, frame)
    except (RuntimeError, MemoryError) as error:
        raise InputImageError(_explain(path, str(error))) from error
    settle_geometry(image, header_geometry(path), str(path))
    return image


def _reader(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader


def _is_sequence(path: Path) -> bool:
    """Whether the file is a sequence as 3D Slicer saves it, in which ITK takes the frames for components of voxels."""
    return path.name.lower().endswith(NRRD_SUFFIXES) and nrrd_fields(path).get("kinds", "").startswith("list ")


def _frames(reader: sitk.ImageFileReader, path: Path) -> int:
    """How many frames the header that was read from path declares."""
    if _is_sequence(path):
        return int(reader.GetNumberOfComponents())
    size = reader.GetSize()
    return int(size[3]) if len(size) > 3 else 1


def _read_frame(path: Path, name: str, layout: Layout, frame: int) -> sitk.Image:
    reader = _reader(path)
    check_frame(frame, _frames(reader, path), name)
    size = list(reader.GetSize())
    if _is_sequence(path):
        layout(len(size), size, 1, name)
        return sitk.VectorIndexSelectionCast(reader.Execute(), frame)
    dimension = 3 if all(length == 1 for length in size[4:]) else len(size)
    layout(dimension, size[:3], reader.GetNumberOfComponents(), name)
    # An extraction size of 0 makes ITK drop that axis.
    reader.SetExtractSize([*size[:3], *([0] * (len(size) - 3))])
    reader.SetExtractIndex([0, 0, 0, frame, *([0] * (len(size) - 4))])
    return reader.Execute()


def _read(path: Path, name: str, layout: Layout) -> sitk.Image:
    reader = _reader(path)
    size = list(reader.GetSize())
    while len(size) > 3 and size[-1] == 1:
        size.pop()
    layout(len(size), size, reader.GetNumberOfComponents(), name)
    if len(size) < reader.GetDimension():
        # An extraction size of 0 makes ITK drop that axis.
        reader.SetExtractSize([*size, *([0] * (reader.GetDimension() - len(size)))])
    return reader.Execute()


def _check_file(path: Path) -> None:
    if not path.exists():
        raise InputImageError(f"{path} does not exist.")
    check_readable_name(path, InputImageError)
    name = path.name.lower()
    if name.endswith(".dcm"):
        raise InputImageError(f"{path} is one DICOM file; give the folder that holds the whole series.")
    if not name.endswith(VOLUME_SUFFIXES):
        known = ", ".join(VOLUME_SUFFIXES)
        raise InputImageError(f"{path} has no known volume format; give a DICOM folder or one of {known}.")
    try:
        with path.open("rb") as stream:
            if not stream.read(1):
                raise InputImageError(f"{path} is an empty file.")
    except OSError as error:
        raise InputImageError(f"{path} cannot be opened: {error.strerror}.") from error
    if name.endswith(NIFTI_SUFFIXES):
        check_nifti(path)
    if name.endswith(NRRD_SUFFIXES):
        check_nrrd(path)
    if name.endswith(METAIMAGE_SUFFIXES):
        check_metaimage(path)


def _explain(path: Path, message: str) -> str:
    """One sentence in place of ITK's report, which names source files and addresses."""
    text = message.lower()
    if "orthonormal" in text or "determinant is 0" in text:
        return (
            f"{path} has axes that are not at right angles (sheared, for example by a tilted gantry); "
            "resample it to a rectangular grid first."
        )
    if "zero-valued spacing" in text:
        return f"{path} has a voxel spacing of zero; every spacing must be positive."
    if "allocate" in text or not text:
        return f"{path} declares more voxels than fit into this computer's memory."
    return f"{path} cannot be read: it is damaged, incomplete, or not in the format that its name says."
