"""The result, corrections, running again, and the scene file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mrml_nodes import labels_of
from panel_bench import Bench, blocks, segment_names, segmentation_nodes, shown_segments


def edit(node: Any) -> None:
    """What the Segment Editor does: voxels of the shared labelmap change."""
    image = node.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    labels_of(node)[0, 0, 0] = 1
    image.GetPointData().GetScalars().Modified()
    image.Modified()


def test_the_table_shows_segments_with_their_colours_and_volumes(bench: Bench) -> None:
    import qt

    bench.choose_volume()
    node = bench.run()
    table, numbers = bench.ui.segmentsTable, bench.parameters.statisticsTable
    assert shown_segments(bench) == ["Bright", "Very bright"]
    assert [table.item(row, 1).text() for row in range(2)] == ["0.51", "0.22"]
    assert table.item(0, 0).toolTip() == "Bright: 512 voxels, 0.51 ml, mean intensity 169.412."
    color = table.item(0, 0).data(qt.Qt.DecorationRole)
    assert (color.red(), color.green(), color.blue()) == (230, 160, 60)
    assert [numbers.GetCellText(row, 0) for row in range(2)] == ["Bright", "Very bright"]
    assert [int(numbers.GetCellText(row, 1)) for row in range(2)] == [8**3, 6**3]
    node.GetSegmentation().GetSegment("Bright").SetName("Renamed")
    bench.session.process_events()
    assert shown_segments(bench) == ["Renamed", "Very bright"]
    assert table.item(0, 1).text() == "-", "no numbers are known under that name"


def test_a_long_table_is_written_in_steps_between_which_the_panel_answers(bench: Bench) -> None:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Many")
    node.CreateDefaultDisplayNodes()
    for number in range(20):
        node.GetSegmentation().AddEmptySegment(f"S{number}", f"Structure {number}")
    bench.parameters.outputSegmentation = node
    table = bench.ui.segmentsTable
    assert table.rowCount == 20 and table.item(7, 0).text() == "Structure 7" and table.item(8, 0) is None
    for _ in range(3):
        bench.session.process_events()
    assert shown_segments(bench) == [f"Structure {number}" for number in range(20)]
    node.GetSegmentation().GetSegment("S19").SetName("Renamed")
    bench.session.process_events()
    assert shown_segments(bench)[18:] == ["Structure 18", "Renamed"]


def test_ticks_show_and_hide_segments_in_the_views(bench: Bench) -> None:
    import qt

    bench.choose_volume()
    display = bench.run().GetDisplayNode()
    table, button = bench.ui.segmentsTable, bench.ui.showAllButton
    assert button.text == "Hide all"
    table.item(1, 0).setCheckState(qt.Qt.Unchecked)
    assert not display.GetSegmentVisibility("Very_bright") and display.GetSegmentVisibility("Bright")
    bench.session.process_events()
    assert button.text == "Show all"
    button.click()
    assert display.GetSegmentVisibility("Very_bright") and button.text == "Hide all"
    button.click()
    assert not display.GetSegmentVisibility("Bright") and not display.GetSegmentVisibility("Very_bright")
    # The other way round: what another module does is seen here.
    display.SetSegmentVisibility("Bright", True)
    bench.session.process_events()
    assert table.item(0, 0).checkState() == qt.Qt.Checked


def test_a_tick_shows_a_segment_of_an_earlier_result_that_a_later_one_has_hidden(bench: Bench) -> None:
    import qt

    bench.choose_volume()
    first = bench.run()
    edit(first)
    assert bench.run() is not first
    bench.parameters.outputSegmentation = first
    table, display, button = bench.ui.segmentsTable, first.GetDisplayNode(), bench.ui.showAllButton
    assert [table.item(row, 0).checkState() for row in range(2)] == [qt.Qt.Unchecked, qt.Qt.Unchecked]
    assert button.text == "Show all"
    table.item(1, 0).setCheckState(qt.Qt.Checked)
    bench.session.process_events()
    assert display.GetVisibility()
    assert [table.item(row, 0).checkState() for row in range(2)] == [qt.Qt.Unchecked, qt.Qt.Checked]
    display.SetVisibility(False)
    bench.session.process_events()
    button.click()
    assert display.GetVisibility() and button.text == "Hide all"


def test_a_segment_without_its_surface_has_half_a_tick_until_it_is_ticked(bench: Bench) -> None:
    import qt

    bench.choose_volume()
    display = bench.run().GetDisplayNode()
    display.SetSegmentVisibility3D("Bright", False)
    bench.session.process_events()
    item = bench.ui.segmentsTable.item(0, 0)
    assert item.checkState() == qt.Qt.PartiallyChecked and bench.ui.showAllButton.text == "Hide all"
    item.setCheckState(qt.Qt.Checked)
    assert display.GetSegmentVisibility("Bright") and display.GetSegmentVisibility3D("Bright")


def test_the_warnings_of_a_run_stay_with_its_result(bench: Bench, tmp_path: Path) -> None:
    import slicer

    bench.parameters.model = bench.add_model("ct", modality="CT")
    bench.choose_volume()
    warning = "The volume does not look like CT (no negative values), but the model was trained on CT."
    assert bench.ui.checksLabel.text == warning and not bench.ui.segmentButton.icon.isNull()
    bench.run()
    assert bench.ui.notesLabel.text == "", "it stands above already"
    bench.parameters.model = bench.model
    assert bench.ui.checksLabel.text == "" and bench.ui.segmentButton.icon.isNull()
    assert bench.ui.notesFrame.visible and bench.ui.notesLabel.text == warning
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    bench.session.close_scene()
    assert not bench.ui.notesFrame.visible
    slicer.util.loadScene(path)
    bench.session.process_events()
    assert bench.ui.notesFrame.visible and bench.ui.notesLabel.text == warning


def test_an_unedited_result_is_replaced_by_the_next_run(bench: Bench) -> None:
    bench.choose_volume()
    first = bench.run()
    assert bench.run() is first
    assert len(segmentation_nodes()) == 1


def test_an_edited_result_is_kept_and_the_panel_says_so_before_and_after(bench: Bench) -> None:
    bench.choose_volume()
    first = bench.run()
    edit(first)
    bench.panel.run.show_warnings()
    assert "goes into a new segmentation" in bench.ui.checksLabel.text and bench.ui.overwriteCheckBox.visible
    second = bench.run()
    assert second is not first
    assert labels_of(first)[0, 0, 0] == 1
    assert np.array_equal(labels_of(second), blocks())
    assert "holds edits and was kept" in bench.ui.statusLabel.text
    assert bench.ui.outputSelector.currentNode() is second


def test_an_edited_result_is_replaced_by_choice_once(bench: Bench) -> None:
    bench.choose_volume()
    first = bench.run()
    edit(first)
    bench.ui.overwriteCheckBox.checked = True
    assert "which this run will replace" in bench.ui.checksLabel.text
    assert bench.run() is first
    assert labels_of(first)[0, 0, 0] == 0
    assert not bench.ui.overwriteCheckBox.checked, "the permission counts for one run"


def test_the_results_of_two_volumes_and_two_models_stand_side_by_side(bench: Bench) -> None:
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


def test_an_empty_segmentation_of_the_users_is_filled(bench: Bench) -> None:
    import slicer

    bench.choose_volume()
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Liver study")
    bench.parameters.outputSegmentation = empty
    assert bench.run() is empty and empty.GetName() == "Liver study"


def test_a_segmentation_of_another_origin_is_never_touched(bench: Bench) -> None:
    import slicer

    bench.choose_volume()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "By hand")
    other.GetSegmentation().AddEmptySegment("mine", "Mine")
    bench.parameters.outputSegmentation = other
    node = bench.run()
    assert node is not other and segment_names(other) == ["Mine"]


def test_correct_opens_the_segment_editor_with_the_right_nodes(bench: Bench) -> None:
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


def test_measuring_again_counts_the_corrections(bench: Bench) -> None:
    bench.choose_volume()
    edit(bench.run())
    table = bench.parameters.statisticsTable
    assert int(table.GetCellText(0, 1)) == 8**3
    bench.panel.update()
    assert bench.ui.staleWidget.visible
    bench.ui.statisticsButton.click()
    assert int(table.GetCellText(0, 1)) == 8**3 + 1
    assert not bench.ui.staleWidget.visible
    assert bench.parameters.statisticsTable is table


def test_everything_of_the_scene_survives_saving_and_loading(bench: Bench, tmp_path: Path) -> None:
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
    assert not bench.ui.resultWidget.visible and shown_segments(bench) == []
    slicer.util.loadScene(path)
    bench.session.process_events()
    ui, parameters = bench.ui, bench.parameters
    nodes = parameters.inputVolume, parameters.outputSegmentation, parameters.statisticsTable
    assert tuple(node.GetName() for node in nodes) == names
    assert parameters.roi.GetName() == "Box" and parameters.model == bench.model
    assert (ui.overlapSlider.value, ui.ownOverlapCheckBox.checked, ui.previewCheckBox.checked) == (0.75, True, False)
    assert ui.mirroringSelector.currentIndex == 1
    assert ui.inputSelector.currentNode() is parameters.inputVolume
    assert shown_segments(bench) == ["Bright", "Very bright"]
    assert [ui.segmentsTable.item(row, 1).text() for row in range(2)] == ["0.51", "0.22"]
    parameters.roi = None
    assert bench.run() is nodes[1], "an unedited result is still known as one after loading"


def test_a_scene_whose_model_is_missing_here_says_which(bench: Bench) -> None:
    bench.choose_volume()
    bench.parameters.model = "liver-ct@3.0.0"
    assert "liver-ct@3.0.0, which is not on this computer" in bench.ui.modelInfoLabel.text
    assert not bench.ui.segmentButton.enabled
    assert bench.ui.segmentButton.toolTip == "Choose a model."
