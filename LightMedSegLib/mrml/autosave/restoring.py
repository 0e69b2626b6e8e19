"""Kept segments back into a scene."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid, bounding_box, box_of
from LightMedSegLib.mrml.autosave.kept_segment import KeptSegment
from LightMedSegLib.mrml.strokes.lattice import Lattice
from LightMedSegLib.mrml.strokes.marks import keep_marks
from LightMedSegLib.mrml.strokes.new_structure import new_segmentation
from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
from LightMedSegLib.mrml.volumes import check_volume_node, volume_grid


def volume_on(scene: Any, grid: Grid) -> Any:
    """Return a volume node of the scene whose voxels are those of grid; None if there is none."""
    for number in range(scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")):
        node = scene.GetNthNodeByClass(number, "vtkMRMLScalarVolumeNode")
        with contextlib.suppress(InputImageError):
            check_volume_node(node)
            if volume_grid(node).same_as(grid):
                return node
    return None


def volumes_of(scene: Any, segments: Sequence[KeptSegment]) -> list[Any] | None:
    """Return the volume node of each segment; None unless the scene has them all."""
    found: dict[Grid, Any] = {}
    for kept in segments:
        if kept.grid not in found:
            found[kept.grid] = volume_on(scene, kept.grid)
    return None if None in found.values() else [found[kept.grid] for kept in segments]


def restore_segments(segments: Sequence[KeptSegment], volumes: Sequence[Any], name: str) -> list[SegmentVoxels]:
    """Return the segments in new segmentation nodes, one for each volume, with the marks."""
    nodes: dict[str, Any] = {}
    restored = []
    for number, (kept, volume) in enumerate(zip(segments, volumes, strict=True), start=1):
        if volume.GetID() not in nodes:
            nodes[volume.GetID()] = new_segmentation(volume, name)
        node = nodes[volume.GetID()]
        color = [value / 255 for value in kept.color]
        segment_id = node.GetSegmentation().AddEmptySegment("", f"{name} {number}", color)
        voxels = SegmentVoxels(node, segment_id, Lattice.of(node, volume))
        region = bounding_box(kept.mask)
        if region[0].stop:
            after = kept.mask[region]
            voxels.write(box_of(region), np.zeros_like(after), after)
        keep_marks(node, segment_id, kept.marks)
        restored.append(voxels)
    return restored
