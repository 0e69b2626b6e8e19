"""Checks of an output before the computation: it can store the result, and overwrites no input."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.io.dicom_series import is_dicom
from LightMedSegLib.io.segmentation_files import check_output_path
from LightMedSegLib.storage.atomic_files import make_folder

_MOST_OF_NIFTI = 2**15 - 1
"""Most voxels along an axis: the format counts them in 16 bits."""

_BEST_COMPRESSION = 1032
"""Largest compression factor of zlib, which gives the smallest disk space that a result needs."""

_LEAST_BYTES = 4096


def check_can_hold(path: Path, size: Sequence[int]) -> None:
    """Raise OutputError unless the format that path names, and its disk, can hold a labelmap of so many voxels."""
    nifti = path.name.endswith((".nii", ".nii.gz"))
    if nifti and max(size) > _MOST_OF_NIFTI:
        raise OutputError(
            f"{path} cannot be written: NIfTI holds at most {_MOST_OF_NIFTI} voxels along an axis, and the volume has "
            f"{max(size)}; let the name end in .seg.nrrd."
        )
    least = max(_LEAST_BYTES, math.prod(size) // (1 if path.suffix == ".nii" else _BEST_COMPRESSION))
    with contextlib.suppress(OSError):
        disk = shutil.disk_usage(path.parent)
        # Some network disks say that they have no room at all, used or free.
        if disk.total and disk.free < least:
            raise OutputError(
                f"{path} cannot be written: the disk is full; it has {_size(disk.free)} left, and the labelmap takes "
                f"at least {_size(least)}."
            )


def make_output_folder(folder: Path) -> None:
    """Create the folder of results if it is missing; raises OutputError unless files can be written in it."""
    make_folder(folder)
    check_output_path(folder / "writable")


def check_inputs_stay(outputs: Iterable[Path | None], inputs: Iterable[Path]) -> None:
    """Raise OutputError if an output would replace an input, or a DICOM file in a folder that is an input."""
    for output in filter(None, outputs):
        for path in inputs:
            if _same(output, path):
                raise OutputError(f"{path} is an input and would be overwritten; choose another output.")
            if path.is_dir() and _same(output.parent, path) and output.is_file() and is_dicom(output):
                raise OutputError(
                    f"{output} is a DICOM file of the input folder and would be overwritten; choose another output."
                )


def check_names_differ(outputs: Sequence[Path | None]) -> None:
    """Raise OutputError if two outputs are one file."""
    names = [path.resolve() for path in filter(None, outputs)]
    twice = [path for number, path in enumerate(names) if path in names[:number]]
    if twice:
        raise OutputError(f"Two outputs are named {twice[0].name}; give each of them a name of its own.")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
