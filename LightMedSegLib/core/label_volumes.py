"""Voxels and millilitres of the labels of a labelmap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.core.labels import Label


def label_volumes(labelmap: sitk.Image, labels: Sequence[Label]) -> list[dict[str, Any]]:
    """Return value, name, voxels and ml of each label of a UInt8 labelmap."""
    import SimpleITK as sitk

    voxels = voxels_per_value(sitk.GetArrayViewFromImage(labelmap))
    voxel_ml = float(np.prod(labelmap.GetSpacing())) / 1000.0
    return [
        {
            "value": label.value,
            "name": label.name,
            "voxels": int(voxels[label.value]),
            "ml": float(voxels[label.value]) * voxel_ml,
        }
        for label in labels
    ]


def voxels_per_value(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of voxels of labels (z, y, x) with each of the values 0 to 255."""
    voxels = np.zeros(256, dtype=np.int64)
    # Plane by plane: bincount makes an eight times larger copy of what it counts.
    for plane in labels:
        if plane.any():
            voxels += np.bincount(plane.ravel(), minlength=256)
        else:
            voxels[0] += plane.size
    return voxels
