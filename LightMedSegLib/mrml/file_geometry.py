"""Comparison of a volume node's geometry with the file that it was loaded from.

Slicer reads image files with the same libraries as LightMedSeg, and they misplace the same voxels. Only headers are
read, a few kilobytes, and only once for each state of a file.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.core.geometry import LPS_FROM_RAS
from LightMedSegLib.io.dicom.stack import MONOCHROME_1
from LightMedSegLib.io.dicom.tags import SliceTags, read_slice_tags
from LightMedSegLib.io.headers.header_geometry import HEADER_SUFFIXES, header_geometry
from LightMedSegLib.io.headers.stated_geometry import (
    SAME_DIRECTION,
    StatedGeometry,
    length_text,
    lengths_of,
    same_lengths,
    same_place,
)
from LightMedSegLib.io.lone_file import neighbour
from LightMedSegLib.mrml.transforms import Matrix, ijk_to_ras

_HALF_A_VOXEL = 0.5


def file_contradiction(volume_node: Any) -> str:
    """Return a sentence if the node's file contradicts the scene or itself, else "".

    Nodes without a file, and nodes that were changed since they were read, give "".
    """
    storage = volume_node.GetStorageNode()
    if storage is None or not storage.GetFileName() or volume_node.GetModifiedSinceRead():
        return ""
    names = [storage.GetNthFileName(n) for n in range(storage.GetNumberOfFileNames())] or [storage.GetFileName()]
    own = (LPS_FROM_RAS @ ijk_to_ras(volume_node)[:3]).astype(np.float64)
    try:
        if neighbour(Path(names[0])) is not None:
            return (
                f"'{volume_node.GetName()}' was loaded from a .nii.gz file with a .nii file of the same name beside "
                "it, whose voxels 3D Slicer shows instead; move one of them elsewhere and load it again."
            )
        if names[0].lower().endswith(HEADER_SUFFIXES):
            return _against_header(f"'{volume_node.GetName()}'", own, _header(*_state(names[0])))
        slices = [_slice(*_state(name)) for name in dict.fromkeys((names[0], names[-1]))]
    except (LightMedSegError, OSError, ValueError):
        return ""  # Slicer could read it, so there is a volume; the file says nothing that could be compared.
    return _against_slices(f"'{volume_node.GetName()}'", own, volume_node.GetImageData().GetDimensions(), slices)


def _against_header(name: str, own: Matrix, stated: StatedGeometry) -> str:
    if not same_place(own, stated.matrix):
        return _sentence(name, own, lengths_of(stated.matrix))
    return " ".join(f"{name}: {note}" for note in stated.notes)


def _against_slices(name: str, own: Matrix, size: tuple[int, int, int], slices: list[SliceTags]) -> str:
    first = slices[0]
    axes = np.column_stack([first.row, first.column])
    spacing = lengths_of(own)
    along = (own[:, :2] / spacing[:2]) - axes
    steps = [np.linalg.solve(own[:, :3], one.position - own[:, 3]) for one in slices]
    last = np.array(size) - 1
    misplaced = any(
        np.abs(step[:2]).max() > _HALF_A_VOXEL or not -_HALF_A_VOXEL <= step[2] <= last[2] + _HALF_A_VOXEL
        for step in steps
    )
    if len(slices) > 1 and abs(abs(steps[1][2] - steps[0][2]) - last[2]) > _HALF_A_VOXEL:
        misplaced = True
    if misplaced or np.abs(along).max() > 2 * SAME_DIRECTION or not same_lengths(spacing[:2], first.spacing):
        return _sentence(name, own, np.array([*first.spacing]))
    if first.photometric == MONOCHROME_1:
        return (
            f"The slices of {name} are MONOCHROME1, whose values are inverted when 3D Slicer loads them; invert them "
            "back, or segment the folder from the command line."
        )
    return ""


def _sentence(name: str, own: Matrix, stated: np.ndarray) -> str:
    shown = lengths_of(own)
    if not same_lengths(shown[: len(stated)], stated):
        return (
            f"The voxels of {name} are {length_text(stated)} by its file, but {length_text(shown[: len(stated)])} in "
            "the scene: volumes and places would be wrong; correct the volume's geometry first."
        )
    return (
        f"The voxels of {name} lie elsewhere by its file than in the scene, or are turned or mirrored: left and right "
        "may be mistaken for each other; correct the volume's geometry first."
    )


def _state(name: str) -> tuple[str, int, int]:
    """Return path, time and size of a file, which change with its content."""
    status = Path(name).stat()
    return name, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=64)
def _header(name: str, changed: int, size: int) -> StatedGeometry:
    return header_geometry(Path(name))


@lru_cache(maxsize=64)
def _slice(name: str, changed: int, size: int) -> SliceTags:
    with Path(name).open("rb") as stream:
        if stream.read(132)[128:] != b"DICM":
            raise ValueError("The file is of a format whose geometry is not looked at.")
    return read_slice_tags(name, Path(name).parent)
