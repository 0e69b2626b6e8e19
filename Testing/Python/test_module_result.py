"""The result, corrections, running again, and the scene file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from module_fixtures import Bench, bench, blocks, segment_names, segmentation_nodes  # noqa: F401
from mrml_fixtures import labels_of
from runtime_fixtures import slicer_runtime  # noqa: F401


def edit(node: Any) -> None:
    """What the Segment Editor does: voxels of the shared labelmap change."""
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    labels_of(node)[0, 0, 0] = 1
    image.GetPointData().GetScalars().Modified()
    image.Modified()


def test_segments_table_3d_button_and_numbers_show_the_result(bench: Bench) -> None:  # noqa: F811
    bench.choose_volume()
    node = bench.run()
    assert bench.ui.segmentsTable.segmentationNode() is node
    table = bench.ui.statisticsTable.mrmlTableNode()
    assert table is bench.parameters.statisticsTable
    assert [table.GetCellText(row, 0) for row in range(2)] == ["Bright", "Very bright"]
    assert [int(table.GetCellText(row, 1)) for row in range(2)] == [8**3, 6**3]
    assert float(table.GetCellText(0, 2)) == 0.512
    bench.ui.show3DButton.click()
    bench.session.wait_until(lambda: not bench.panel.result.surfaces.busy, what="the surfaces")
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_the_numbers_stay_in_view_when_something_else_changes_the_scene(bench: Bench) -> None:  # noqa: F811
    import slicer

    bench.choose_volume()
    bench.run()
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    assert bench.ui.statisticsTable.mrmlTableNode() is bench.parameters.statisticsTable


def test_an_unedited_result_is_replaced_by_the_next_run(bench: Bench) -> None:  # noqa: F811
    bench.choose_volume()
    first = bench.run()
    assert bench.run() is first
    assert len(segmentation_nodes()) == 1


def test_an_edited_result_is_kept_and_the_panel_says_so_before_and_after(bench: Bench) -> None:  # noqa: F811
    bench.choose_volume()
    first = bench.run()
    edit(first)
    bench.panel.run.show_warnings()
    assert "goes into a new segmentation" in bench.ui.checksLabel.text
    second = bench.run()
    assert second is not first
    assert labels_of(first)[0, 0, 0] == 1
    assert np.array_equal(labels_of(second), blocks())
    assert "holds edits and was kept" in bench.ui.statusLabel.text
    assert bench.ui.outputSelector.currentNode() is second


def test_an_edited_result_is_replaced_by_choice_once(bench: Bench) -> None:  # noqa: F811
    bench.choose_volume()
    first = bench.run()
    edit(first)
    bench.ui.overwriteCheckBox.checked = True
    assert "which this run will replace" in bench.ui.checksLabel.text
    assert bench.run() is first
    assert labels_of(first)[0, 0, 0] == 0
    assert not bench.ui.overwriteCheckBox.checked, "the permission counts for one run"


def test_the_results_of_two_volumes_and_two_models_stand_side_by_side(bench: Bench) -> None:  # noqa: F811
    first_volume = bench.choose_volume()
    first = bench.run()
    bench.choose_volume("Second")
    second = bench.run()
    bench.parameters.model = bench.add_model("other")
    third = bench.run()
    assert len({node.GetID() for node in (first, second, third)}) == 3
    bench.parameters.inputVolume, bench.parameters.model = first_volume, bench.model
    assert bench.run() is first
    table = bench.parameters.statisticsTable
    bench.choose_volume("Fourth")
    bench.run()
    assert bench.parameters.statisticsTable is not table, "every result keeps its numbers"


def test_an_empty_segmentation_of_the_users_is_filled(bench: Bench) -> None:  # noqa: F811
    import slicer

    bench.choose_volume()
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Liver study")
    bench.parameters.outputSegmentation = empty
    assert bench.run() is empty and empty.GetName() == "Liver study"


def test_a_segmentation_of_another_origin_is_never_touched(bench: Bench) -> None:  # noqa: F811
    import slicer

    bench.choose_volume()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "By hand")
    other.GetSegmentation().AddEmptySegment("mine", "Mine")
    bench.parameters.outputSegmentation = other
    node = bench.run()
    assert node is not other and segment_names(other) == ["Mine"]


def test_correct_opens_the_segment_editor_with_the_right_nodes(bench: Bench) -> None:  # noqa: F811
    import slicer

    volume = bench.choose_volume()
    assert not bench.ui.editButton.enabled
    node = bench.run()
    # The result belongs to its own volume, whatever is chosen for the next run.
    bench.choose_volume("Other")
    bench.ui.editButton.click()
    assert bench.session.selected_module == "SegmentEditor"
    editor = slicer.util.getModuleWidget("SegmentEditor").editor
    assert editor.segmentationNode() is node
    assert editor.sourceVolumeNode() is volume
    assert editor.currentSegmentID() == "Bright"


def test_measuring_again_counts_the_corrections(bench: Bench) -> None:  # noqa: F811
    bench.choose_volume()
    edit(bench.run())
    table = bench.parameters.statisticsTable
    assert int(table.GetCellText(0, 1)) == 8**3
    bench.ui.statisticsButton.click()
    assert int(table.GetCellText(0, 1)) == 8**3 + 1
    assert bench.parameters.statisticsTable is table


def test_everything_of_the_scene_survives_saving_and_loading(bench: Bench, tmp_path: Path) -> None:  # noqa: F811
    import slicer

    volume = bench.choose_volume()
    bench.run()
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    bench.parameters.roi = roi
    bench.ui.ownOverlapCheckBox.checked = True
    bench.ui.overlapSlider.value = 0.75
    bench.ui.mirroringSelector.currentIndex = 1
    bench.ui.previewCheckBox.checked = False
    names = volume.GetName(), bench.parameters.outputSegmentation.GetName(), bench.parameters.statisticsTable.GetName()
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    bench.session.close_scene()
    assert bench.parameters.inputVolume is None and bench.parameters.overlap == 0.5
    assert bench.ui.segmentsTable.segmentationNode() is None
    slicer.util.loadScene(path)
    bench.session.process_events()
    ui, parameters = bench.ui, bench.parameters
    nodes = parameters.inputVolume, parameters.outputSegmentation, parameters.statisticsTable
    assert tuple(node.GetName() for node in nodes) == names
    assert parameters.roi.GetName() == "Box" and parameters.model == bench.model
    assert (ui.overlapSlider.value, ui.ownOverlapCheckBox.checked, ui.previewCheckBox.checked) == (0.75, True, False)
    assert ui.mirroringSelector.currentIndex == 1
    assert ui.inputSelector.currentNode() is parameters.inputVolume
    assert ui.segmentsTable.segmentationNode() is parameters.outputSegmentation
    parameters.roi = None
    assert bench.run() is nodes[1], "an unedited result is still known as one after loading"


def test_a_scene_whose_model_is_missing_here_says_which(bench: Bench) -> None:  # noqa: F811
    bench.choose_volume()
    bench.parameters.model = "liver-ct@3.0.0"
    assert "liver-ct@3.0.0, which is not on this computer" in bench.ui.modelDescriptionLabel.text
    assert not bench.ui.segmentButton.enabled
    assert bench.ui.segmentButton.toolTip == "Choose a model."
