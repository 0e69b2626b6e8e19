"""Segments detached from the scene: copied on the main thread, converted to a labelmap in any thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.mrml.segmentations.reading import on_volume, segment_images, volume_to_layer
from LightMedSegLib.mrml.segmentations.shared_labelmap import layer_array
from LightMedSegLib.mrml.transforms import Matrix
from LightMedSegLib.mrml.volumes import slabs


@dataclass(frozen=True)
class _Layer:
    """array: a copy (z, y, x). place: as volume_to_layer gives it. values: value in the array to label value."""

    array: NDArray[Any]
    place: Matrix
    values: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SegmentsSnapshot:
    """shape: (z, y, x) of the volume."""

    shape: tuple[int, int, int]
    layers: list[_Layer] = field(default_factory=list)

    def labels(self) -> NDArray[np.uint8]:
        """Return the label values on the volume's voxels; where segments overlap, the later one in the list wins."""
        labels = np.zeros(self.shape, dtype=np.uint8)
        for layer in self.layers:
            placed = on_volume(layer.array, layer.place, self.shape)
            table = np.zeros(int(max(placed.max(initial=0), *layer.values)) + 1, dtype=np.uint8)
            table[list(layer.values)] = list(layer.values.values())
            mapped = table[placed]
            np.copyto(labels, mapped, where=mapped != 0)
        return labels


def snapshot_steps(
    segmentation_node: Any, volume_node: Any, values: Mapping[str, int]
) -> Iterator[SegmentsSnapshot | None]:
    """Copy segments, by identifier with their label values, in small steps: None after each, the snapshot at the end.

    Raises InputImageError as :func:`segment_images` does, and when the segments change meanwhile.
    """
    i, j, k = volume_node.GetImageData().GetDimensions()
    result = SegmentsSnapshot((k, j, i))
    segmentation = segmentation_node.GetSegmentation()
    images: list[Any] = []
    found = list(segment_images(segmentation_node, list(values)))
    times = [image.GetMTime() for _, image in found]
    for segment_id, image in found:
        # Another layer in between comes later in the list, and so does what follows it.
        if not images or images[-1] is not image:
            place = volume_to_layer(volume_node, segmentation_node, image)
            copy = np.empty_like(layer_array(image))
            result.layers.append(_Layer(copy, place))
            images.append(image)
            for part in slabs(copy):
                # Fetched again each time: a view of replaced voxels would point at freed memory.
                copy[part] = layer_array(image)[part]
                yield None
                if [image.GetMTime() for _, image in found] != times:
                    raise InputImageError(f"'{segmentation_node.GetName()}' changed while it was read; try again.")
        result.layers[-1].values[segmentation.GetSegment(segment_id).GetLabelValue()] = values[segment_id]
    yield result
