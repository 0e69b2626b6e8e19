"""Voxels and millilitres of the labels of a labelmap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.core.labels import Label


def label_volumes(labelmap: sitk.Image, labels: Sequence[Label]) -> list[dict[str, Any]]:
    """For each label of a UInt8 labelmap: value, name, voxels and ml."""
    import SimpleITK as sitk

    # Plane by plane: bincount makes an eight times larger copy of what it counts.
    voxels = np.zeros(256, dtype=np.int64)
    for plane in sitk.GetArrayViewFromImage(labelmap):
        voxels += np.bincount(plane.ravel(), minlength=256)
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
