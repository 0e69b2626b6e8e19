"""The geometry that a file's header states, and the correction of an image that the reader placed elsewhere.

ITK resolves contradictions of a header silently, and differently in each version. So the header is read separately,
and the rule of the file's format decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.volume_checks import check_geometry
from LightMedSegLib.io.volume_notes import set_notes

if TYPE_CHECKING:
    import SimpleITK as sitk

SAME_LENGTH = 1e-3
"""Spacings may differ by this fraction: headers carry six digits, and 0.1 % does not change anatomy."""

SAME_DIRECTION = 1e-3
"""Direction cosines may differ by this: the error of a 32-bit quaternion at rotations of 180 degrees."""

SAME_POSITION = 0.1
"""First voxels may be this fraction of a voxel apart."""

_SHORTEST_MM, _LONGEST_MM = 3.0, 10_000.0
"""Range of the longest side of a scan: a body in metres read as mm is shorter, a crop in mm read as m is longer."""

_MISREAD = "The image reader misplaced the voxels; their size and place were taken from the header itself."


@dataclass(frozen=True)
class StatedGeometry:
    """The geometry of a file's header, by the rule of its format.

    matrix: (3, 4), from voxel index (x, y, z) to position, LPS, mm. notes: a sentence for the user about each
    contradiction that the rule decided.
    """

    matrix: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def geometry_matrix(
    spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float]
) -> NDArray[np.float64]:
    """Return the (3, 4) matrix of spacing (mm), origin (LPS, mm) and direction cosines (row-major)."""
    axes = np.reshape(np.asarray(direction, dtype=np.float64), (3, 3)) * np.asarray(spacing, dtype=np.float64)
    return np.column_stack([axes, np.asarray(origin, dtype=np.float64)])


def lengths_of(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the edge lengths (x, y, z) of a voxel in mm."""
    lengths: NDArray[np.float64] = np.linalg.norm(matrix[:, :3], axis=0)
    return lengths


def same_lengths(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Return whether two voxels have the same edge lengths, within SAME_LENGTH."""
    return bool(np.all(np.abs(first - second) <= SAME_LENGTH * np.abs(second)))


def same_place(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Return whether two (3, 4) matrices place the voxels equally, within the tolerances above."""
    lengths = lengths_of(second)
    if not (lengths > 0).all() or not same_lengths(lengths_of(first), lengths):
        return False
    turned = np.abs(first[:, :3] - second[:, :3]) / lengths
    moved = np.linalg.norm(first[:, 3] - second[:, 3])
    return bool(turned.max() <= 2 * SAME_DIRECTION and moved <= SAME_POSITION * lengths.min())


def settle_geometry(image: sitk.Image, stated: StatedGeometry, name: str) -> None:
    """Set the geometry that the file states, if ITK's differs, and attach the notes about it.

    Raises InputImageError, beginning with name, for an invalid geometry (sheared, flat).
    """
    notes = stated.notes
    own = geometry_matrix(image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    if not same_place(own, stated.matrix):
        _place(image, stated.matrix, name)
        notes = notes or (_MISREAD,)
    set_notes(image, notes)


def check_extent(size: Sequence[int], spacing: Sequence[float], name: str) -> None:
    """Raise InputImageError unless the longest side (voxels times mm) is that of a scan of a body: a wrong unit.

    A labelmap may be smaller: 3D Slicer saves an empty segmentation as one voxel.
    """
    longest = max(count * length for count, length in zip(size, spacing, strict=True))
    if not _SHORTEST_MM <= longest <= _LONGEST_MM:
        raise InputImageError(
            f"{name} is {longest:g} mm long by its header, which no scan of a body is; correct the spacing or the unit "
            "of length in it."
        )


def length_text(lengths: Sequence[float] | NDArray[np.float64]) -> str:
    """Return lengths as text, such as "1 x 1 x 2.5 mm"."""
    return " x ".join(f"{length:.4g}" for length in lengths) + " mm"


def _place(image: sitk.Image, matrix: NDArray[np.float64], name: str) -> None:
    lengths = lengths_of(matrix)
    axes = matrix[:, :3] / np.where(lengths > 0, lengths, 1.0)
    check_geometry(lengths.tolist(), matrix[:, 3].tolist(), axes.ravel().tolist(), name)
    # The nearest orthonormal axes: what is left of shear is rounding of the header.
    left, _, right = np.linalg.svd(axes)
    image.SetSpacing(lengths.tolist())
    image.SetOrigin(matrix[:, 3].tolist())
    image.SetDirection((left @ right).ravel().tolist())
