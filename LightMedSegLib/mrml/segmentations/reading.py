"""Reading segments back onto the voxels of a volume, for evaluation and fine-tuning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.mrml.segmentations.shared_labelmap import BINARY_LABELMAP, layer_array
from LightMedSegLib.mrml.transforms import Matrix, between_nodes, ijk_to_ras, to_array

_SAME_GRID_VOXELS = 1e-2
"""Grids whose voxels lie within this fraction of a voxel of each other are the same: no resampling."""


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
    """Segments as labels on the voxels of volume_node.

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
    """Every segment as a mask (z, y, x) on the voxels of volume_node; overlapping ones keep all their voxels."""
    return dict(segment_masks(segmentation_node, volume_node, segment_ids))


def segment_masks(
    segmentation_node: Any, volume_node: Any, segment_ids: Sequence[str] | None = None
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """As :func:`read_masks`, one segment at a time, in the order of the segmentation."""
    segmentation = segmentation_node.GetSegmentation()
    shown: tuple[Any, NDArray[Any]] | None = None
    for segment_id, image in segment_images(segmentation_node, segment_ids):
        if shown is None or shown[0] is not image:
            place = volume_to_layer(volume_node, segmentation_node, image)
            shown = (image, on_volume(layer_array(image), place, _shape(volume_node)))
        yield segment_id, shown[1] == segmentation.GetSegment(segment_id).GetLabelValue()


def segment_images(segmentation_node: Any, segment_ids: Sequence[str] | None = None) -> Iterator[tuple[str, Any]]:
    """Segment identifiers with the labelmap that each lies in, in the order of the segmentation.

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
    """Which segment is which label of a model: segment identifier to label value.

    By identifier, else by name, else by coded type and modifier; a segment that matches none is left out, and no
    label is given twice.
    """
    segmentation = segmentation_node.GetSegmentation()
    found: dict[str, int] = {}
    for same in (_same_identifier, _same_name, _same_codes):
        for segment_id in segmentation.GetSegmentIDs():
            free = [label for label in labels if label.value not in found.values()]
            if segment_id not in found:
                segment = segmentation.GetSegment(segment_id)
                matching = [label.value for label in free if same(segment_id, segment, label)]
                if matching:
                    found[segment_id] = matching[0]
    return found


def volume_to_layer(volume_node: Any, segmentation_node: Any, image: Any) -> Matrix:
    """Index into the volume's array to index into that of a labelmap image of the segmentation, both (x, y, z).

    Raises InputImageError for a non-linear transform between the nodes.
    """
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_segmentation = (
        between_nodes(volume_node, segmentation_node)
        @ ijk_to_ras(volume_node)
        @ _first_index(volume_node.GetImageData())
    )
    result: Matrix = np.linalg.inv(to_array(matrix) @ _first_index(image)) @ to_segmentation
    return result


def on_volume(layer: NDArray[Any], to_layer: Matrix, shape: tuple[int, int, int]) -> NDArray[Any]:
    """The values of a layer (z, y, x) on an array of the volume's shape, 0 outside the layer; in any thread."""
    if layer.size == 0:
        return np.zeros(shape, dtype=np.uint8)
    offset = np.round(to_layer[:3, 3])
    same = np.eye(4)
    same[:3, 3] = offset
    difference = np.abs(to_layer - same)
    if (difference[:3, :3] @ shape[::-1] + difference[:3, 3]).max() < _SAME_GRID_VOXELS:
        return _shifted(layer, offset.astype(int)[::-1], shape)
    return _resampled(layer, to_layer, shape)


def _shifted(layer: NDArray[Any], offset: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
    """result[i] = layer[i + offset] where both exist."""
    result = np.zeros(shape, dtype=layer.dtype)
    target, source = [], []
    for shift, size, available in zip(offset.tolist(), shape, layer.shape, strict=True):
        first, last = max(0, -shift), max(0, -shift, min(size, available - shift))
        target.append(slice(first, last))
        source.append(slice(first + shift, last + shift))
    result[tuple(target)] = layer[tuple(source)]
    return result


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


def _same_identifier(segment_id: str, segment: Any, label: Label) -> bool:
    return segment_id == label.segment_id


def _same_name(segment_id: str, segment: Any, label: Label) -> bool:
    return str(segment.GetName()).strip().casefold() == label.name.strip().casefold()


def _same_codes(segment_id: str, segment: Any, label: Label) -> bool:
    entry, wanted = slicer.vtkSlicerTerminologyEntry(), slicer.vtkSlicerTerminologyEntry()
    logic = slicer.vtkSlicerTerminologiesModuleLogic
    if not logic.DeserializeTerminologyEntry(segment.GetTerminology() or "", entry):
        return False
    logic.DeserializeTerminologyEntry(label.terminology.to_slicer(), wanted)
    return _codes(entry) == _codes(wanted)


def _codes(entry: Any) -> list[tuple[str | None, str | None]]:
    parts = (entry.GetTypeObject(), entry.GetTypeModifierObject(), entry.GetRegionObject())
    return [(part.GetCodingSchemeDesignator(), part.GetCodeValue()) if part else (None, None) for part in parts]
