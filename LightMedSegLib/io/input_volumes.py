"""The input volumes of a model: files, DICOM folders, images in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from LightMedSegLib.core.errors import InputImageError

if TYPE_CHECKING:
    import SimpleITK as sitk

    InputVolume: TypeAlias = str | Path | sitk.Image
    """A volume file, a folder with one DICOM series, or an image in memory."""

_TAKEN = "give a volume file, a DICOM folder or a SimpleITK image, or a list of them for a model of several channels"


def input_volumes(volume: InputVolume | Sequence[InputVolume]) -> list[sitk.Image]:
    """Return the volumes as images, one per channel of a model; paths are read.

    Raises InputImageError for an object that is no volume, for a file that cannot be read, and for any volume that
    volume_checks.check_volume refuses.
    """
    volumes = volume if isinstance(volume, (list, tuple)) else [volume]
    if not volumes:
        raise InputImageError(f"The list of volumes is empty; {_TAKEN}.")
    return [_read(one) for one in volumes]


def _read(volume: Any) -> sitk.Image:
    import SimpleITK as sitk

    from LightMedSegLib.io.volume_checks import check_volume
    from LightMedSegLib.io.volume_files import read_volume

    if isinstance(volume, (str, os.PathLike)):
        return read_volume(Path(volume).expanduser())
    if not isinstance(volume, sitk.Image):
        raise InputImageError(_refusal(volume))
    check_volume(volume)
    return volume


def _refusal(volume: Any) -> str:
    kind = type(volume).__name__
    if hasattr(volume, "__array__"):
        return (
            f"An array ({kind}) has no spacing, origin and direction; make a SimpleITK image of it with "
            "SimpleITK.GetImageFromArray and set them."
        )
    if kind.startswith("vtk"):
        return f"A {kind} belongs to 3D Slicer or VTK; in 3D Slicer, use LightMedSegLogic.process for a volume node."
    return f"An object of type {kind} is no volume; {_TAKEN}."
