"""Checks of a volume before any computation.

The checks are separate from reading because volumes also arrive from memory (a Slicer scene, a script).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError

ORTHOGONALITY_TOLERANCE = 1e-3
"""Tolerance of direction cosines: DICOM has about six decimals, NIfTI 32-bit floats, both far below this."""

MAXIMUM_COARSENESS = 8.0
"""A volume with voxels this many times longer than the model's has too little detail for the model."""

MAXIMUM_FINENESS = 1000.0
"""A volume with voxels this many times shorter than the model's has a wrong unit in its header."""

_SCALAR_TYPES = frozenset(
    (
        sitk.sitkUInt8,
        sitk.sitkInt8,
        sitk.sitkUInt16,
        sitk.sitkInt16,
        sitk.sitkUInt32,
        sitk.sitkInt32,
        sitk.sitkUInt64,
        sitk.sitkInt64,
        sitk.sitkFloat32,
        sitk.sitkFloat64,
    )
)


def check_volume(image: sitk.Image, name: str = "The volume") -> None:
    """Raise InputImageError unless image is a usable scalar 3D volume.

    Usable: three axes of at least two voxels, one real number a voxel, finite positive spacing (mm), finite
    origin, orthonormal direction cosines, no NaN or infinite voxel, and not the same value everywhere.

    ``name`` begins the message, so that a user with several volumes knows which one it is about.
    """
    check_layout(image.GetDimension(), image.GetSize(), image.GetNumberOfComponentsPerPixel(), name)
    if image.GetPixelID() not in _SCALAR_TYPES:
        raise InputImageError(
            f"{name} has voxels of type '{image.GetPixelIDTypeAsString()}'; a volume of real numbers is needed."
        )
    check_geometry(image.GetSpacing(), image.GetOrigin(), image.GetDirection(), name)
    _check_values(sitk.GetArrayViewFromImage(image), name)


def check_layout(dimension: int, size: Sequence[int], components: int, name: str) -> None:
    """Raise InputImageError unless the axes and components are those of a scalar 3D volume."""
    if components != 1:
        raise InputImageError(
            f"{name} has {components} components in each voxel (colour, vectors, or the frames of a sequence); a "
            "scalar volume is needed: the frames of a sequence are segmented one by one with --all-frames."
        )
    if dimension != 3:
        hint = "; save one time point or channel alone, or segment all with --all-frames" if dimension > 3 else ""
        raise InputImageError(f"{name} is {dimension}D; a 3D volume is needed{hint}.")
    if math.prod(size) <= 1:
        raise InputImageError(f"{name} has {math.prod(size)} voxel(s); there is nothing to segment.")
    if min(size) < 2:
        shape = " x ".join(str(n) for n in size)
        raise InputImageError(f"{name} is a single slice ({shape} voxels); a 3D volume is needed.")


def check_frame(frame: int, count: int, name: str) -> None:
    """Raise InputImageError unless frame, from 0, is one of count."""
    if not 0 <= frame < count:
        raise InputImageError(f"{name} has {count} frame(s), counted from 0; there is no frame {frame}.")


def check_geometry(spacing: Sequence[float], origin: Sequence[float], direction: Sequence[float], name: str) -> None:
    """Raise InputImageError unless spacing (mm), origin (mm) and direction cosines describe a box in space."""
    if not all(math.isfinite(s) and s > 0 for s in spacing):
        shown = ", ".join(f"{s:g}" for s in spacing)
        raise InputImageError(f"{name} has voxel spacing ({shown}) mm; every spacing must be positive.")
    if not all(math.isfinite(x) for x in origin):
        raise InputImageError(f"{name} has an origin that is not a finite position in space.")
    axes = np.asarray(direction, dtype=np.float64).reshape(3, 3)
    if not np.isfinite(axes).all() or np.abs(axes.T @ axes - np.eye(3)).max() > ORTHOGONALITY_TOLERANCE:
        raise InputImageError(
            f"{name} has axes that are not at right angles (sheared, for example by a tilted gantry); "
            "resample it to a rectangular grid first."
        )


def check_resolution(spacing: Sequence[float], model_spacing: Sequence[float], name: str = "The volume") -> None:
    """Raise InputImageError if the volume is far too coarse for a model, or absurdly fine.

    Both are (x, y, z) in mm but maybe of differently oriented axes, so the longest, or shortest, of each is compared.
    """
    coarsest, expected = max(spacing), max(model_spacing)
    if coarsest > MAXIMUM_COARSENESS * expected:
        raise InputImageError(
            f"{name} has voxels {coarsest:g} mm long, too coarse for this model, which works at {expected:g} mm "
            f"(up to {MAXIMUM_COARSENESS * expected:g} mm)."
        )
    finest, expected = min(spacing), min(model_spacing)
    if finest * MAXIMUM_FINENESS < expected:
        raise InputImageError(
            f"{name} has voxels {finest:g} mm long, absurdly fine for this model, which works at {expected:g} mm; "
            "correct the spacing in its header."
        )


def _check_values(array: np.ndarray, name: str) -> None:
    """Raise InputImageError for NaN, infinite or constant voxels; array is (z, y, x)."""
    if np.issubdtype(array.dtype, np.floating):
        # Slice by slice: a mask of a whole 512 x 512 x 600 volume would cost 150 MB for nothing.
        wrong = sum(int(plane.size - np.count_nonzero(np.isfinite(plane))) for plane in array)
        if wrong:
            raise InputImageError(f"{name} has {wrong} voxel(s) that are NaN or infinite; repair or mask them first.")
    low, high = array.min(), array.max()
    if low == high:
        raise InputImageError(f"{name} is empty: every voxel has the value {low:g}.")
