"""Reading segments on the voxel grid of a volume, for evaluation and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vtk
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.labelmaps.matching import match_segments
from LightMedSegLib.io.labelmaps.placing import shifted
from LightMedSegLib.io.labelmaps.segments import Segment
from LightMedSegLib.io.labelmaps.values import label_array
from LightMedSegLib.mrml.segmentations.shared_labelmap import BINARY_LABELMAP, layer_array
from LightMedSegLib.mrml.transforms import Matrix, between_nodes, ijk_to_ras, to_array

_SAME_GRID_VOXELS = 1e-2
"""Grids whose voxels are within this fraction of a voxel of each other are the same and not resampled."""


@dataclass(frozen=True)
class LabelmapReading:
    """Segments as one labelmap.

    labels: uint8 (z, y, x) on the volume's voxels. names: label value to segment name. overlapping_voxels: how
    many voxels belong to several segments; the segment further down the list has them.
    """

    labels: NDArray[np.uint8]
    names: dict[int, str]
    overlapping_voxels: int


def read_labelmap(segmentation_node: Any, volume_node: Any, values: Mapping[str, int] | None = None) -> LabelmapReading:
    """Return segments as labels on the voxels of volume_node.

    values: segment identifier to label value (1..255); by default all segments, numbered from 1 in their order.

    Raises InputImageError for an unknown segment, more than 255 segments, or a non-linear transform between the
    nodes.
    """
    segmentation = segmentation_node.GetSegmentation()
    if values is None:
        values = {segment_id: index + 1 for index, segment_id in enumerate(segmentation.GetSegmentIDs())}
    if any(not 1 <= value <= 255 for value in values.values()):
        raise InputImageError(f"'{segmentation_node.GetName()}' has too many segments; at most 255 can be read.")
    labels = np.zeros(_shape(volume_node), dtype=np.uint8)
    overlapping = np.zeros_like(labels, dtype=bool)
    names: dict[int, str] = {}
    for segment_id, mask in segment_masks(segmentation_node, volume_node, list(values)):
        overlapping |= mask & (labels != 0) & (labels != values[segment_id])
        labels[mask] = values[segment_id]
        names.setdefault(values[segment_id], segmentation.GetSegment(segment_id).GetName())
    return LabelmapReading(labels, names, int(np.count_nonzero(overlapping)))


def read_masks(
    segmentation_node: Any, volume_node: Any, segment_ids: Sequence[str] | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Return every segment as a mask (z, y, x) on the voxels of volume_node; overlapping ones keep all their voxels."""
    return dict(segment_masks(segmentation_node, volume_node, segment_ids))


def segment_masks(
    segmentation_node: Any, volume_node: Any, segment_ids: Sequence[str] | None = None
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield the masks of :func:`read_masks`, one segment at a time, in the order of the segmentation."""
    segmentation = segmentation_node.GetSegmentation()
    shown: tuple[Any, NDArray[Any]] | None = None
    for segment_id, image in segment_images(segmentation_node, segment_ids):
        if shown is None or shown[0] is not image:
            place = volume_to_layer(volume_node, segmentation_node, image)
            shown = (image, on_volume(layer_array(image), place, _shape(volume_node)))
        yield segment_id, shown[1] == segmentation.GetSegment(segment_id).GetLabelValue()


def segment_images(segmentation_node: Any, segment_ids: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """Return the segment identifiers, each with its labelmap, in the order of the segmentation.

    Raises InputImageError for an unknown segment, and for one that has no voxels and cannot get them.
    """
    segmentation = segmentation_node.GetSegmentation()
    known = list(segmentation.GetSegmentIDs())
    missing = [segment_id for segment_id in segment_ids or () if segment_id not in known]
    if missing:
        raise InputImageError(f"'{segmentation_node.GetName()}' has no segment {missing[0]!r}; choose one of {known}.")
    if known and not segmentation.ContainsRepresentation(BINARY_LABELMAP):
        # Segments that exist as surfaces only.
        segmentation_node.CreateBinaryLabelmapRepresentation()
    for segment_id in known:
        if segment_ids is not None and segment_id not in segment_ids:
            continue
        segment = segmentation.GetSegment(segment_id)
        image = segment.GetRepresentation(BINARY_LABELMAP)
        if image is None:
            raise InputImageError(
                f"The segment '{segment.GetName()}' cannot be read as voxels; convert it to a binary labelmap first."
            )
        yield segment_id, image


def match_labels(segmentation_node: Any, labels: Sequence[Label]) -> dict[str, int]:
    """Return the label value of each segment identifier that matches a label of the model.

    The rules are those of segmentation files (labelmaps.matching.match_segments).
    """
    segmentation = segmentation_node.GetSegmentation()
    segments = []
    for segment_id in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segment_id)
        segments.append(
            Segment(segment.GetLabelValue(), str(segment.GetName()), segment_id, segment.GetTerminology() or "")
        )
    values = match_segments(segments, labels)
    return {segment.identifier: value for segment, value in zip(segments, values, strict=True) if value is not None}


def volume_to_layer(volume_node: Any, segmentation_node: Any, image: Any) -> Matrix:
    """Index into the volume's array to index into that of a labelmap image of the segmentation, both (x, y, z).

    Raises InputImageError for a non-linear transform between the nodes.
    """
    to_segmentation = (
        between_nodes(volume_node, segmentation_node)
        @ ijk_to_ras(volume_node)
        @ _first_index(volume_node.GetImageData())
    )
    result: Matrix = np.linalg.inv(layer_to_segmentation(image)) @ to_segmentation
    return result


def layer_to_segmentation(image: Any) -> Matrix:
    """Index (x, y, z) into the array of a labelmap image to the segmentation's RAS, below its parent transform."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    result: Matrix = to_array(matrix) @ _first_index(image)
    return result


def on_volume(layer: NDArray[Any], to_layer: Matrix, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return the values of a layer (z, y, x) on an array of the volume's shape, 0 outside the layer; in any thread.

    Raises InputImageError for values that a labelmap cannot have.
    """
    if layer.size == 0:
        return np.zeros(shape, dtype=np.uint8)
    layer = label_array(layer, "The segmentation")
    offset = whole_offset(to_layer, shape)
    if offset is not None:
        return shifted(layer, offset[::-1], shape)
    return _resampled(layer, to_layer, shape)


def whole_offset(to_layer: Matrix, shape: tuple[int, int, int]) -> NDArray[np.int64] | None:
    """The whole voxels (x, y, z) by which two grids differ; None if they differ in another way.

    to_layer: index (x, y, z) into an array of shape (z, y, x) to index of the other grid.
    """
    offset = np.round(to_layer[:3, 3])
    same = np.eye(4)
    same[:3, 3] = offset
    difference = np.abs(to_layer - same)
    if (difference[:3, :3] @ shape[::-1] + difference[:3, 3]).max() < _SAME_GRID_VOXELS:
        return offset.astype(np.int64)
    return None


def _resampled(layer: NDArray[Any], to_layer: Matrix, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Nearest neighbour, computed between voxel indices, which any linear relation of the two grids permits."""
    import SimpleITK as sitk

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_layer[:3, :3].ravel().tolist())
    transform.SetTranslation(to_layer[:3, 3].tolist())
    reference = sitk.Image(shape[::-1], sitk.sitkUInt8)
    moving = sitk.GetImageFromArray(layer)
    return sitk.GetArrayFromImage(sitk.Resample(moving, reference, transform, sitk.sitkNearestNeighbor, 0.0))


def _shape(volume_node: Any) -> tuple[int, int, int]:
    i, j, k = volume_node.GetImageData().GetDimensions()
    return (k, j, i)


def _first_index(image: Any) -> Matrix:
    """Array index to the image's own index, which may not begin at 0."""
    matrix = np.eye(4)
    matrix[:3, 3] = image.GetExtent()[::2]
    return matrix
