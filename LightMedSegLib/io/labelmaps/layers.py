"""Segmentations in several layers, which 3D Slicer uses for segments that overlap or once did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.io.labelmaps.segments import Segment
from LightMedSegLib.io.labelmaps.values import as_labelmap, label_array

if TYPE_CHECKING:
    import SimpleITK as sitk


def one_layer(image: sitk.Image, segments: Sequence[Segment], name: str) -> tuple[sitk.Image, list[Segment]]:
    """Return the layers of an image (its components) as one labelmap, and the segments with their values in it.

    The segments are numbered from 1 in their order if two of them have the same value in different layers.

    Raises InputImageError, which begins with name, for voxels in several segments, or in none of a layer's.
    """
    import SimpleITK as sitk

    if image.GetDimension() != 3:
        raise InputImageError(f"{name} is {image.GetDimension()}D; export it from 3D Slicer again, or as a labelmap.")
    count = image.GetNumberOfComponentsPerPixel()
    if count == 1 and all(segment.layer == 0 for segment in segments):
        labelmap = as_labelmap(image, name)
        if segments:
            _check_described(np.asarray(sitk.GetArrayViewFromImage(labelmap)), segments, name)
        return labelmap, list(segments)
    outside = [segment for segment in segments if segment.layer >= count]
    if outside:
        raise InputImageError(f"{name} lacks the layer of its segment {outside[0].name!r}; export it again.")
    repeated = len({segment.value for segment in segments}) < len(segments)
    result = np.zeros(image.GetSize()[::-1], dtype=np.uint16)
    numbered = [replace(one, value=n if repeated else one.value, layer=0) for n, one in enumerate(segments, start=1)]
    overlapping = 0
    for layer in range(count):
        component = sitk.VectorIndexSelectionCast(image, layer) if count > 1 else image
        array = label_array(np.asarray(sitk.GetArrayViewFromImage(component)), name)
        _check_described(array, [segment for segment in segments if segment.layer == layer], name)
        for own, new in zip(segments, numbered, strict=True):
            if own.layer == layer:
                mask = array == own.value
                overlapping += int(np.count_nonzero(result[mask]))
                result[mask] = new.value
    if overlapping:
        raise InputImageError(
            f"{name} has overlapping segments, {overlapping} voxel(s) lie in more than one; a labelmap has one label "
            "for each voxel, so take them from one of the segments."
        )
    return as_labelmap(Grid.of(image).image(result), name), numbered


def _check_described(array: NDArray[Any], segments: Sequence[Segment], name: str) -> None:
    """Raise InputImageError for voxels of a layer that belong to none of its segments."""
    known = [0, *(segment.value for segment in segments)]
    wrong = next((plane[~np.isin(plane, known)] for plane in array if not np.isin(plane, known).all()), None)
    if wrong is not None:
        raise InputImageError(f"{name} holds the value {wrong[0]}, which none of its segments has; export it again.")
