"""The table of segment statistics: by Slicer's own module if it is available, else by our own computation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import slicer
import vtk

from LightMedSegLib.mrml.label_statistics import SegmentNumbers, label_numbers
from LightMedSegLib.mrml.segmentations.reading import segment_masks
from LightMedSegLib.mrml.volumes import volume_grid, voxels

EXPECTED_DICE = "Expected Dice"
"""Title of the column of a table with the Dice that is expected of each segment of an untouched result."""

_SLICER_MEASUREMENTS = {
    "LabelmapSegmentStatisticsPlugin": ("voxel_count", "volume_cm3"),
    "ScalarVolumeSegmentStatisticsPlugin": ("mean",),
    "ClosedSurfaceSegmentStatisticsPlugin": (),
}


def fill_statistics_table(table_node: Any, segmentation_node: Any, volume_node: Any) -> None:
    """Fill a table node with voxels, volume (ml, which is cm3) and mean intensity of every segment.

    Raises InputImageError as reading the segments does.
    """
    if not _fill_by_slicer(table_node, segmentation_node, volume_node):
        write_table(table_node, measure_segments(segmentation_node, volume_node))


def measure_segments(segmentation_node: Any, volume_node: Any) -> list[SegmentNumbers]:
    """The numbers of every segment on the voxels of volume_node; overlapping segments count fully in each."""
    spacing, intensities = volume_grid(volume_node).spacing, voxels(volume_node)
    rows = []
    for segment_id, mask in segment_masks(segmentation_node, volume_node):
        name = segmentation_node.GetSegmentation().GetSegment(segment_id).GetName()
        rows += label_numbers(mask.view(np.uint8), intensities, spacing, {1: name})
    return rows


def write_table(
    table_node: Any, rows: Iterable[SegmentNumbers], expected_dice: Mapping[str, float] | None = None
) -> None:
    """Replace the contents of a vtkMRMLTableNode by rows; a mean that does not exist stays empty.

    expected_dice: by the name of the segment; without any, the table has no column for it.
    """
    before = table_node.StartModify()
    try:
        table_node.RemoveAllColumns()
        names, counts = vtk.vtkStringArray(), vtk.vtkLongLongArray()
        volumes, means, expected = vtk.vtkDoubleArray(), vtk.vtkStringArray(), vtk.vtkStringArray()
        titles = ("Segment", "Voxels", "Volume [ml]", "Mean", EXPECTED_DICE)
        for array, title in zip((names, counts, volumes, means, expected), titles, strict=True):
            array.SetName(title)
        for row in rows:
            names.InsertNextValue(row.name)
            counts.InsertNextValue(row.voxels)
            volumes.InsertNextValue(round(row.volume_ml, 4))
            means.InsertNextValue("" if math.isnan(row.mean) else f"{row.mean:.6g}")
            dice = (expected_dice or {}).get(row.name)
            expected.InsertNextValue("" if dice is None else f"{dice:.2f}")
        for array in (names, counts, volumes, means, *([expected] if expected_dice else [])):
            table_node.AddColumn(array)
        table_node.SetUseColumnTitleAsColumnHeader(True)
        table_node.SetUseFirstColumnAsRowHeader(False)
    finally:
        table_node.EndModify(before)


def _fill_by_slicer(table_node: Any, segmentation_node: Any, volume_node: Any) -> bool:
    try:
        from SegmentStatistics import SegmentStatisticsLogic  # type: ignore[import-not-found]
    except ImportError:
        return False
    logic = SegmentStatisticsLogic()
    # A node outside the scene: the one in it holds what the user has chosen in that module.
    parameters = slicer.vtkMRMLScriptedModuleNode()
    logic.setParameterNode(parameters)
    parameters.SetParameter("visibleSegmentsOnly", str(False))
    parameters.SetParameter("Segmentation", segmentation_node.GetID())
    parameters.SetParameter("ScalarVolume", volume_node.GetID())
    parameters.SetParameter("MeasurementsTable", table_node.GetID())
    for plugin, wanted in _SLICER_MEASUREMENTS.items():
        parameters.SetParameter(f"{plugin}.enabled", str(bool(wanted)))
        for measurement in wanted:
            parameters.SetParameter(f"{plugin}.{measurement}.enabled", str(True))
    logic.computeStatistics()
    logic.exportToTable(table_node)
    return True
