"""Geometry in a NIfTI header: the sform, else the qform, if their codes are set, else pixdim."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import LPS_FROM_RAS
from LightMedSegLib.io.headers.stated_geometry import StatedGeometry, length_text, lengths_of, same_lengths, same_place
from LightMedSegLib.io.nifti_header import NiftiHeader

_UNITS = {1: ("metres", 1000.0), 3: ("micrometres", 0.001)}
"""Codes of units of length other than mm. All programs read code 0, unknown, as mm."""

_LONGEST_VECTOR = 1.001
"""Largest norm of the imaginary part of a unit quaternion, with a tolerance for rounding."""

_NOWHERE = (
    "The NIfTI header does not say how the scan lies (its sform and qform codes are 0); its axes were taken for left, "
    "posterior and superior, as 3D Slicer does, so left and right may be mistaken for each other."
)


def nifti_geometry(header: NiftiHeader, name: str) -> StatedGeometry:
    """Return the geometry in the header; raises InputImageError, beginning with name, if none of its forms is valid."""
    unit, scale = _UNITS.get(header.unit, ("mm", 1.0))
    notes = []
    if header.sform_code > 0:
        matrix = np.reshape(header.affine, (3, 4))
        pixdim, qform = np.array(header.spacing), _qform(header)
        if not same_lengths(pixdim, lengths_of(matrix)):
            notes.append(
                f"The NIfTI header contradicts itself: voxels of {length_text(lengths_of(matrix) * scale)} by its "
                f"sform, of {length_text(pixdim * scale)} by its pixdim; the sform was used."
            )
        elif header.qform_code > 0 and (qform is None or not same_place(qform, matrix)):
            notes.append(
                "The NIfTI header contradicts itself: its sform and its qform place the voxels differently; the sform "
                "was used."
            )
    else:
        if min(header.spacing) < 0:
            shown = ", ".join(f"{length:g}" for length in header.spacing)
            raise InputImageError(
                f"{name} has voxel spacing ({shown}) mm in its header, and no sform that would say more; every spacing "
                "must be positive."
            )
        if header.qform_code > 0:
            qform = _qform(header)
            if qform is None:
                raise InputImageError(f"{name} has a NIfTI header whose qform is no rotation; export it again.")
            matrix = qform
        else:
            matrix = LPS_FROM_RAS @ np.column_stack([np.diag(header.spacing), np.zeros(3)])
            notes.append(_NOWHERE)
    if scale != 1.0:
        notes.append(f"The NIfTI header gives lengths in {unit}; they were converted to mm.")
    return StatedGeometry(LPS_FROM_RAS @ matrix * scale, tuple(notes))


def _qform(header: NiftiHeader) -> NDArray[np.float64] | None:
    """Return the qform as a (3, 4) matrix, RAS, as the standard defines it; None if its quaternion is no rotation."""
    b, c, d, *offset = header.quaternion
    vector = math.hypot(b, c, d)
    if not vector <= _LONGEST_VECTOR:
        return None
    a = math.sqrt(max(0.0, 1.0 - vector**2))
    b, c, d = (part / max(1.0, vector) for part in (b, c, d))
    turn = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    signs = np.array((1.0, 1.0, -1.0 if header.handedness < 0 else 1.0))
    return np.column_stack([turn * np.abs(header.spacing) * signs, offset])
