"""The values that a labelmap may have."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError

if TYPE_CHECKING:
    import SimpleITK as sitk

_HIGHEST = 65535


def as_labelmap(image: sitk.Image, name: str) -> sitk.Image:
    """Return the image as UInt8, or as UInt16 if a value is above 255; it may be empty.

    Raises InputImageError, which begins with name, for values that are not whole numbers from 0 to 65535.
    """
    import SimpleITK as sitk

    array = label_array(sitk.GetArrayViewFromImage(image), name)
    return sitk.Cast(image, sitk.sitkUInt8 if array.max(initial=0) <= 255 else sitk.sitkUInt16)


def label_array(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return the array itself if its type is unsigned with one or two bytes, else as UInt16.

    Raises InputImageError, which begins with name, for values that are not whole numbers from 0 to 65535.
    """
    if array.dtype in (np.uint8, np.uint16):
        return array
    # Plane by plane: a mask of a whole volume costs as much memory as the volume.
    if array.dtype.kind not in "fui" or not all(np.array_equal(plane, np.round(plane)) for plane in array):
        raise InputImageError(
            f"{name} is no segmentation: it has values that are not whole numbers; export it again, and resample "
            "labelmaps with the nearest neighbour only."
        )
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > _HIGHEST:
        low, high = array.min(), array.max()
        raise InputImageError(
            f"{name} is no segmentation: its values go from {low:g} to {high:g}, not 0 to {_HIGHEST}."
        )
    return array.astype(np.uint16)


def check_known(labelmap: sitk.Image, known: Collection[int], name: str) -> None:
    """Raise InputImageError, which begins with name, for a value other than 0 and the known ones."""
    unknown = [value for value in present_values(labelmap) if value not in known]
    if unknown:
        raise InputImageError(f"{name} holds the value {unknown[0]}, which no label has.")


def present_values(labelmap: sitk.Image) -> list[int]:
    """Return the values of a labelmap without 0, ascending."""
    import SimpleITK as sitk

    # bincount makes an eight times larger copy of what it counts, so plane by plane.
    found = np.zeros(_HIGHEST + 1, dtype=bool)
    for plane in sitk.GetArrayViewFromImage(labelmap):
        found[plane] = True
    return [int(value) for value in np.flatnonzero(found) if value]
