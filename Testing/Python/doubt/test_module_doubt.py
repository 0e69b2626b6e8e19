"""Doubt in the panel: the switch, the places, the overlay, and the expected Dice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panel_bench import Bench
from panel_keys import press


@pytest.fixture
def doubtful(bench: Bench) -> Bench:
    """A result with four places: both ends of two blocks, the ends of the larger one first."""
    bench.choose_volume()
    bench.ui.doubtCheckBox.checked = True
    bench.run()
    assert bench.segment.calls[-1].doubt
    return bench


def foregrounds() -> set[Any]:
    import slicer

    return {node.GetForegroundVolumeID() for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")}


def heights() -> list[float]:
    """Where the axial view is, in mm of RAS."""
    import slicer

    return [slicer.util.getNode("vtkMRMLSliceNodeRed").GetSliceToRAS().GetElement(2, 3)]


def doubt_volume(bench: Bench) -> Any:
    from LightMedSegLib.mrml.doubt.volume import doubt_of

    return doubt_of(bench.parameters.outputSegmentation)


def test_doubt_is_off_at_first_and_then_nothing_of_it_is_seen(bench: Bench) -> None:
    bench.choose_volume()
    bench.run()
    assert not bench.segment.calls[-1].doubt
    assert doubt_volume(bench) is None and not bench.ui.doubtSectionButton.visible
    assert bench.ui.segmentsTable.columnCount == 2
    assert not bench.panel.shortcuts.keys["F3"].enabled


def test_next_and_previous_jump_to_the_places_and_say_what_may_be_wrong(doubtful: Bench) -> None:
    ui = doubtful.ui
    assert ui.doubtSectionButton.visible and not ui.lookedCheckBox.enabled
    assert ui.placeLabel.text == "4 places with 100 % of the expected error, the largest first."
    volume = doubtful.parameters.inputVolume
    ui.nextPlaceButton.click()
    assert ui.placeLabel.text == (
        "1 of 4: Bright. Labelled Bright, perhaps background. About 25 wrong voxels, 32 % of all that are expected."
    )
    assert heights() == [pytest.approx(volume.GetOrigin()[2] + 4)]
    ui.nextPlaceButton.click()
    assert "Labelled background, perhaps Bright." in ui.placeLabel.text
    assert heights() == [pytest.approx(volume.GetOrigin()[2] + 12)]
    ui.nextPlaceButton.click()
    assert ui.placeLabel.text.startswith("3 of 4: Very bright.")
    ui.previousPlaceButton.click()
    assert ui.placeLabel.text.startswith("2 of 4: Bright.")


def test_places_that_were_looked_at_are_counted_and_passed_over(doubtful: Bench) -> None:
    ui = doubtful.ui
    for _ in range(2):
        ui.nextPlaceButton.click()
        ui.lookedCheckBox.click()
    assert (ui.lookedBar.value, ui.lookedBar.format) == (64, "64 % of the expected error looked at")
    ui.previousPlaceButton.click()
    assert ui.lookedCheckBox.checked, "back to a place that was looked at"
    ui.nextPlaceButton.click()
    assert ui.placeLabel.text.startswith("3 of 4")
    ui.lookedCheckBox.click()
    ui.nextPlaceButton.click()
    ui.lookedCheckBox.click()
    assert ui.lookedBar.value == 100
    ui.nextPlaceButton.click()
    assert ui.placeLabel.text.startswith("1 of 4"), "once all were looked at, none is passed over"
    ui.lookedCheckBox.click()
    assert ui.lookedBar.value == 68


def test_the_keys_work_while_the_module_is_open(doubtful: Bench, view: Any) -> None:
    ui = doubtful.ui
    press(view, "F3")
    press(view, "F3")
    assert ui.placeLabel.text.startswith("2 of 4")
    press(view, "Ctrl+F3")
    assert ui.lookedCheckBox.checked
    press(view, "Shift+F3")
    assert ui.placeLabel.text.startswith("1 of 4")
    doubtful.session.leave_module()
    assert not any(doubtful.panel.shortcuts.keys[key].enabled for key in ("F3", "Shift+F3", "Ctrl+F3"))


def test_the_overlay_follows_the_tick_and_the_chosen_result(doubtful: Bench) -> None:
    from LightMedSegLib.mrml.doubt.volume import legend_of

    ui, first = doubtful.ui, doubt_volume(doubtful)
    legend = legend_of(first)
    assert foregrounds() == {first.GetID()} and legend.GetVisibility() and legend.GetTitleText() == "Doubt"
    ui.overlayCheckBox.checked = False
    assert foregrounds() == {None} and not legend.GetVisibility() and not legend.GetSaveWithScene()
    ui.overlayCheckBox.checked = True
    segmentation = doubtful.parameters.outputSegmentation
    doubtful.parameters.outputSegmentation = None
    assert foregrounds() == {None} and not ui.doubtSectionButton.visible
    doubtful.parameters.outputSegmentation = segmentation
    assert foregrounds() == {first.GetID()}
    doubtful.session.leave_module()
    assert foregrounds() == {first.GetID()}, "it helps in the Segment Editor too"


def test_a_run_without_doubt_removes_that_of_the_earlier_result(doubtful: Bench) -> None:
    doubtful.ui.doubtCheckBox.checked = False
    doubtful.run()
    assert doubt_volume(doubtful) is None and foregrounds() == {None}
    assert not doubtful.ui.doubtSectionButton.visible


def test_a_doubt_volume_that_somebody_removes_is_noticed(doubtful: Bench) -> None:
    import slicer

    slicer.mrmlScene.RemoveNode(doubt_volume(doubtful))
    doubtful.ui.nextPlaceButton.click()
    assert not doubtful.ui.doubtSectionButton.visible


@pytest.mark.parametrize("kept", [False, True])
def test_a_scene_is_saved_without_the_doubt_unless_the_user_wants_it(
    doubtful: Bench, kept: bool, tmp_path: Path
) -> None:
    import slicer

    ui = doubtful.ui
    ui.nextPlaceButton.click()
    ui.lookedCheckBox.click()
    if kept:
        ui.keepDoubtCheckBox.click()
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    doubtful.session.close_scene()
    assert foregrounds() == {None} and not ui.doubtSectionButton.visible
    slicer.util.loadScene(str(path))
    doubtful.session.process_events()
    assert ui.doubtCheckBox.checked and ui.doubtSectionButton.visible is kept
    assert (doubt_volume(doubtful) is not None) is kept
    if kept:
        assert ui.keepDoubtCheckBox.checked and ui.lookedBar.value == 32
        assert foregrounds() == {doubt_volume(doubtful).GetID()}
        ui.nextPlaceButton.click()
        assert ui.placeLabel.text.startswith("2 of 4")
    ui.overlayCheckBox.checked = False
    assert foregrounds() == {None}


def test_the_table_shows_the_expected_dice_until_the_segments_are_measured_again(bench: Bench) -> None:
    calibration = {"intercept": 0.0, "slope": 1.0, "mean_absolute_error": 0.02, "cases": 5}
    bench.parameters.model = bench.add_model("calibrated", expected_dice=calibration)
    bench.choose_volume()
    bench.ui.doubtCheckBox.checked = True
    bench.run()
    table = bench.ui.segmentsTable
    assert table.columnCount == 3 and table.horizontalHeaderItem(2).text() == "Expected Dice"
    # One of eight planes is wrong in 39 %, one of six.
    assert [table.item(row, 2).text() for row in range(2)] == ["0.95", "0.93"]
    assert bench.parameters.statisticsTable.GetColumnName(4) == "Expected Dice"
    bench.ui.statisticsButton.click()
    assert table.columnCount == 2


def test_a_model_without_calibration_has_no_expected_dice(doubtful: Bench) -> None:
    assert doubtful.ui.segmentsTable.columnCount == 2


def test_closing_the_panel_gives_the_foreground_back(doubtful: Bench) -> None:
    doubtful.panel.cleanup()
    assert foregrounds() == {None}
