"""The statistics table, from our own numbers and through Slicer's module."""

from __future__ import annotations

import math
import sys
import types
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_card
from mrml_nodes import add_painted_segment, add_transform, add_volume, new_scene, put_under

from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml.label_statistics import SegmentNumbers, label_numbers
from LightMedSegLib.mrml.segmentations.writing import write_result
from LightMedSegLib.mrml.statistics import fill_statistics_table, measure_segments, write_table


@pytest.fixture
def nodes(volume: sitk.Image, labelmap: sitk.Image) -> Any:
    scene = new_scene()
    scan = add_volume(scene, volume)
    card = ModelCard.from_json(make_card(labels=3))
    node = write_result(scan, sitk.GetArrayFromImage(labelmap), card)
    return scene, scan, node


def expected(volume: sitk.Image, labelmap: sitk.Image, value: int) -> tuple[int, float, float]:
    mask = sitk.GetArrayFromImage(labelmap) == value
    voxels = int(mask.sum())
    return voxels, voxels * 0.9 * 1.1 * 1.5 / 1000, float(sitk.GetArrayFromImage(volume)[mask].mean())


def test_voxels_millilitres_and_mean_of_every_segment(nodes: Any, volume: sitk.Image, labelmap: sitk.Image) -> None:
    _, scan, node = nodes
    one, two, three = measure_segments(node, scan)
    for row, value in ((one, 1), (two, 2)):
        voxels, ml, mean = expected(volume, labelmap, value)
        assert row.name == f"Structure {value}"
        assert row.voxels == voxels
        assert row.volume_ml == pytest.approx(ml)
        assert row.mean == pytest.approx(mean)
    assert (three.voxels, three.volume_ml) == (0, 0)
    assert math.isnan(three.mean)


def test_numbers_taken_in_the_worker_are_those_read_from_the_node(
    nodes: Any, volume: sitk.Image, labelmap: sitk.Image
) -> None:
    _, scan, node = nodes
    names = {value: f"Structure {value}" for value in (1, 2)}
    arrays = sitk.GetArrayFromImage(labelmap), sitk.GetArrayFromImage(volume)
    assert label_numbers(*arrays, volume.GetSpacing(), names) == measure_segments(node, scan)[:2]
    without = label_numbers(arrays[0], None, volume.GetSpacing(), names)
    assert math.isnan(without[0].mean)
    assert without[0].voxels == measure_segments(node, scan)[0].voxels


def test_overlapping_segments_count_fully_and_a_scaling_transform_counts(nodes: Any, volume: sitk.Image) -> None:
    scene, scan, node = nodes
    add_painted_segment(node, scan, np.ones((16, 20, 24)), "All")
    assert measure_segments(node, scan)[3].voxels == 16 * 20 * 24
    before = [row.volume_ml for row in measure_segments(node, scan)]
    transform = add_transform(scene, np.diag((2.0, 2.0, 2.0)))
    put_under(scan, transform)
    put_under(node, transform)
    assert [row.volume_ml for row in measure_segments(node, scan)] == pytest.approx([8 * ml for ml in before])


def test_the_table_has_one_row_per_segment_and_is_replaced_the_next_time(nodes: Any) -> None:
    scene, scan, node = nodes
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "Table")
    write_table(table, [SegmentNumbers("old", 1, 1.0, 1.0)] * 9)
    fill_statistics_table(table, node, scan)
    assert table.GetNumberOfRows() == 3
    assert [table.GetColumnName(column) for column in range(4)] == ["Segment", "Voxels", "Volume [ml]", "Mean"]
    assert table.GetCellText(0, 0) == "Structure 1"
    assert table.GetCellText(0, 1) == str(measure_segments(node, scan)[0].voxels)
    assert float(table.GetCellText(0, 2)) == pytest.approx(measure_segments(node, scan)[0].volume_ml, abs=1e-4)
    assert float(table.GetCellText(0, 3)) == pytest.approx(measure_segments(node, scan)[0].mean, rel=1e-5)
    assert table.GetCellText(2, 3) == ""


def test_slicers_own_statistics_are_used_where_they_are(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, scan, node = nodes
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "Table")
    calls: list[Any] = []
    given: list[Any] = []

    class SegmentStatisticsLogic:
        def setParameterNode(self, parameters: Any) -> None:
            parameters.SetParameter("visibleSegmentsOnly", "True")
            given.append(parameters)

        def computeStatistics(self) -> None:
            calls.append("computed")

        def exportToTable(self, table_node: Any) -> None:
            calls.append(table_node)

    module = types.ModuleType("SegmentStatistics")
    module.SegmentStatisticsLogic = SegmentStatisticsLogic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "SegmentStatistics", module)
    fill_statistics_table(table, node, scan)
    assert calls == ["computed", table]
    (parameters,) = given
    assert parameters.GetScene() is None, "the settings of the user in that module stay as they are"
    assert parameters.GetParameter("Segmentation") == node.GetID()
    assert parameters.GetParameter("ScalarVolume") == scan.GetID()
    assert parameters.GetParameter("visibleSegmentsOnly") == "False"
    assert parameters.GetParameter("LabelmapSegmentStatisticsPlugin.volume_cm3.enabled") == "True"
    assert parameters.GetParameter("ClosedSurfaceSegmentStatisticsPlugin.enabled") == "False"
