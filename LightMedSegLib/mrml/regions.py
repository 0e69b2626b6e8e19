"""Conversion of a region-of-interest node to a box of voxels."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box
from LightMedSegLib.mrml.transforms import parent_to_world, to_array
from LightMedSegLib.mrml.volumes import array_to_world

_TOUCH_TOLERANCE = 1e-3
"""A face this close to a voxel border (in voxels) is on it; otherwise a box fitted to voxels would grow by a row."""


def roi_index_box(roi_node: Any, volume_node: Any) -> Box:
    """The half-open voxel index box ((i0, i1), (j0, j1), (k0, k1)) of volume_node around a vtkMRMLMarkupsROINode.

    The ROI may be rotated and under its own transform: the result contains every voxel that its bounding box along the
    axes of the volume touches, clipped to the volume.

    Raises InputImageError if the ROI is not placed yet, is flat, is under a non-linear transform, or is outside
    the volume.
    """
    name = f"'{roi_node.GetName()}'"
    size = np.array(roi_node.GetSize(), dtype=np.float64)
    if not np.isfinite(size).all() or (size <= 0).any():
        raise InputImageError(f"The region of interest {name} has no extent yet; draw it, or choose none.")
    parent_to_world(roi_node)
    object_to_world = to_array(roi_node.GetObjectToWorldMatrix())
    to_index = np.linalg.inv(array_to_world(volume_node)) @ object_to_world
    corners = np.array([(*(size / 2 * signs), 1.0) for signs in product((-1.0, 1.0), repeat=3)])
    indices = (corners @ to_index.T)[:, :3]
    first = np.floor(indices.min(axis=0) + 0.5 + _TOUCH_TOLERANCE).astype(int)
    last = np.ceil(indices.max(axis=0) + 0.5 - _TOUCH_TOLERANCE).astype(int)
    shape = volume_node.GetImageData().GetDimensions()
    ranges = [(max(0, int(a)), min(n, int(b))) for a, b, n in zip(first, last, shape, strict=True)]
    if any(a >= b for a, b in ranges):
        raise InputImageError(
            f"The region of interest {name} lies outside '{volume_node.GetName()}'; move it over the volume."
        )
    return (ranges[0], ranges[1], ranges[2])
