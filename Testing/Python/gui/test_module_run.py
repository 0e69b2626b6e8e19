"""Segment, Cancel, and everything that can happen in between."""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import pytest
from panel_bench import Bench, blocks, segment_names, segmentation_nodes, shown_segments
from panel_keys import press
from patience import Patience

from LightMedSegLib.core.errors import LightMedSegError
from LightMedSegLib.inference.options import SegmentOptions


def test_click_segment_get_segments(bench: Bench) -> None:
    from LightMedSegLib.mrml.segmentations.reading import read_labelmap

    volume = bench.choose_volume()
    assert bench.ui.segmentButton.enabled and bench.ui.segmentButton.text == "Segment"
    node = bench.run()
    assert segment_names(node) == ["Bright", "Very bright"]
    assert np.array_equal(read_labelmap(node, volume).labels, blocks())
    assert bench.ui.statusLabel.text.startswith("Done in ")
    assert bench.ui.outputSelector.currentNode() is node


def test_a_run_leaves_no_errors_or_warnings_of_vtk_in_the_log(
    bench: Bench,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The type is in Slicer's lists there, its modifier is not."""
    bench.parameters.model = bench.add_model("hippocampus", labels=[hippocampus_label()])
    bench.choose_volume()
    capfd.readouterr()
    assert segment_names(bench.run()) == ["Anterior hippocampus"]
    bench.ui.statisticsButton.click()
    assert capfd.readouterr().err == ""


def hippocampus_label() -> dict[str, Any]:
    def code(value: str, meaning: str) -> dict[str, str]:
        return {"scheme": "SCT", "value": value, "meaning": meaning}

    terminology = {
        "category": code("123037004", "Anatomical Structure"),
        "type": code("5366008", "Hippocampus"),
        "modifier": code("255549009", "Anterior"),
        "region": None,
        "region_modifier": None,
    }
    return {"value": 1, "name": "Anterior hippocampus", "color": [221, 130, 101], "terminology": terminology}


def test_while_it_runs_the_button_is_cancel_and_progress_is_shown(bench: Bench) -> None:
    bench.choose_volume()
    bench.segment.seconds = 10.0
    bench.start()
    bench.session.wait_until(lambda: bench.ui.progressBar.value >= 10, what="progress")
    assert bench.ui.segmentButton.text == "Cancel"
    assert bench.ui.progressBar.visible
    assert bench.ui.statusLabel.text.startswith("Segmenting, window ")
    assert "Elapsed: " in bench.ui.statusLabel.text
    bench.session.wait_until(lambda: " left." in bench.ui.statusLabel.text, what="an estimate of the time left")
    bench.segment.seconds = 0.0
    bench.finish()
    assert bench.ui.segmentButton.text == "Segment"
    assert not bench.ui.progressBar.visible


def test_a_second_click_cancels_and_writes_nothing(bench: Bench) -> None:
    bench.choose_volume()
    bench.segment.seconds = 30.0
    bench.start()
    bench.ui.segmentButton.click()
    assert bench.ui.segmentButton.text == "Stopping..." and not bench.ui.segmentButton.enabled
    bench.finish()
    assert segmentation_nodes() == []
    assert "Cancelled" in bench.ui.statusLabel.text
    assert bench.ui.segmentButton.enabled
    bench.segment.seconds = 0.0
    assert bench.run() is not None


def test_starting_while_something_runs_changes_nothing(bench: Bench) -> None:
    """The shortcut starts only; it must not cancel, nor start a second run."""
    bench.choose_volume()
    bench.segment.seconds = 0.5
    bench.start()
    job = bench.panel.logic.job
    bench.panel.run.start()
    assert bench.panel.logic.job is job and not job.stopping
    with pytest.raises(LightMedSegError, match="is running"):
        bench.panel.logic.process(bench.parameters.inputVolume)
    bench.finish()
    assert len(bench.segment.calls) == 1 and len(segmentation_nodes()) == 1


def test_the_shortcuts_start_and_cancel_wherever_the_mouse_was(bench: Bench, view: Any) -> None:
    assert set(bench.panel.shortcuts.keys) == {
        "Ctrl+Return",
        "Ctrl+Enter",
        "Esc",
        "Return",
        "Enter",
        "F3",
        "Shift+F3",
        "Ctrl+F3",
    }
    bench.choose_volume()
    bench.segment.seconds = 30.0
    for place in (view, bench.ui.segmentButton._checked()):
        press(place, "Ctrl+Return")
        assert bench.panel.run.running
        press(place, "Esc")
        bench.finish()
        assert segmentation_nodes() == []
    press(view, "Esc")
    assert not bench.panel.run.running


def test_a_text_that_is_edited_keeps_its_keys_and_without_a_run_so_does_everything_for_esc(
    bench: Bench,
    view: Any,
) -> None:
    bench.choose_volume()
    view.setReadOnly(False)
    press(view, "Ctrl+Return")
    press(bench.ui.threadsSpinBox._checked(), "Ctrl+Return")
    assert not bench.panel.run.running
    view.setReadOnly(True)
    view.clearFocus()
    press(view, "Ctrl+Return")
    assert bench.panel.run.running
    keys = bench.panel.shortcuts.keys
    assert keys["Esc"].enabled
    bench.finish()
    assert keys["Ctrl+Return"].enabled and not keys["Esc"].enabled


def test_leaving_the_module_turns_the_shortcuts_off_and_lets_the_run_finish(bench: Bench) -> None:
    bench.choose_volume()
    bench.segment.seconds = 0.3
    bench.start()
    bench.session.leave_module()
    assert not any(key.enabled for key in bench.panel.shortcuts.keys.values()), "Esc is the Segment Editor's"
    bench.finish()
    node = bench.parameters.outputSegmentation
    assert segment_names(node) == ["Bright", "Very bright"]
    bench.session.open_module("LightMedSeg")
    assert shown_segments(bench) == ["Bright", "Very bright"]
    assert bench.ui.segmentButton.text == "Segment" and not bench.ui.progressBar.visible
    assert bench.panel.shortcuts.keys["Ctrl+Return"].enabled


def test_closing_the_scene_drops_the_result_with_a_message(bench: Bench) -> None:
    bench.choose_volume()
    bench.segment.seconds = 1.0
    bench.start()
    bench.session.close_scene()
    bench.finish()
    assert segmentation_nodes() == []
    assert "scene was closed" in bench.ui.statusLabel.text
    assert not bench.ui.segmentButton.enabled
    bench.choose_volume("Next")
    bench.segment.seconds = 0.0
    assert segment_names(bench.run()) == ["Bright", "Very bright"]


def test_closing_the_scene_clears_what_was_said_of_its_result(bench: Bench) -> None:
    bench.choose_volume()
    bench.run()
    assert bench.ui.statusLabel.text.startswith("Done in ")
    bench.session.close_scene()
    assert bench.ui.statusLabel.text == ""


def test_removing_the_volume_drops_the_result_with_a_message(bench: Bench) -> None:
    import slicer

    volume = bench.choose_volume()
    bench.segment.seconds = 1.0
    bench.start()
    slicer.mrmlScene.RemoveNode(volume)
    bench.finish()
    assert segmentation_nodes() == []
    assert "'Scan' was removed" in bench.ui.statusLabel.text


def test_changing_the_volume_drops_the_result_with_a_message(bench: Bench) -> None:
    import slicer

    volume = bench.choose_volume()
    bench.segment.seconds = 1.0
    bench.start()
    slicer.util.updateVolumeFromArray(volume, np.ones((24, 24, 24), dtype=np.int16))
    bench.finish()
    assert segmentation_nodes() == []
    assert "'Scan' changed" in bench.ui.statusLabel.text


class OutOfMemoryError(RuntimeError):
    """As torch names it."""


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("a defect"), "An unexpected problem stopped the task"),
        (OutOfMemoryError("CUDA out of memory."), "graphics card ran out of memory"),
        (MemoryError(), "computer ran out of memory"),
    ],
)
def test_an_exception_in_the_worker_is_said_in_the_panel(
    bench: Bench,
    error: Exception,
    sentence: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*args: Any, **settings: Any) -> None:
        raise error

    bench.choose_volume()
    bench.panel.logic.segment = fails
    with caplog.at_level(logging.CRITICAL):
        bench.ui.segmentButton.click()
        bench.finish()
    assert sentence in bench.ui.statusLabel.text
    assert segmentation_nodes() == []
    bench.panel.logic.segment = bench.segment
    assert bench.run() is not None


def test_notes_of_the_library_are_shown(bench: Bench) -> None:
    """For example that the graphics card had too little memory and the processor did the work."""

    def with_note(*arguments: Any) -> Any:
        result = bench.segment(*arguments)
        result.notes.append("CUDA ran out of memory; the CPU was used.")
        return result

    bench.choose_volume()
    bench.panel.logic.segment = with_note
    bench.run()
    assert "CUDA ran out of memory; the CPU was used." in bench.ui.statusLabel.text


def test_the_settings_reach_the_library(bench: Bench) -> None:
    bench.choose_volume()
    bench.ui.deviceSelector.currentIndex = 1
    bench.ui.threadsSpinBox.value = 3
    bench.ui.ownOverlapCheckBox.checked = True
    bench.ui.overlapSlider.value = 0.25
    bench.ui.mirroringSelector.currentIndex = 2
    bench.run()
    call = bench.segment.calls[-1]
    assert call == SegmentOptions("cpu", overlap=0.25, mirror=("x", "y", "z"), threads=3)
    bench.ui.ownOverlapCheckBox.checked = False
    bench.ui.mirroringSelector.currentIndex = 0
    bench.ui.threadsSpinBox.value = 0
    bench.run()
    call = bench.segment.calls[-1]
    assert call == SegmentOptions("cpu")


def test_only_the_region_of_interest_is_segmented(bench: Bench) -> None:
    import slicer

    from LightMedSegLib.mrml.segmentations.reading import read_labelmap

    volume = bench.choose_volume()
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    bench.parameters.roi = roi
    assert list(roi.GetSize()) == [12.0, 12.0, 12.0], "a new box gets a place and a size"
    roi.SetCenter((7.5, 7.5, 7.5))
    node = bench.run()
    (i0, i1), (j0, j1), (k0, k1) = bench.segment.calls[-1].roi
    assert (i0, i1, j0, j1, k0, k1) == (2, 14, 2, 14, 2, 14)
    assert set(np.unique(read_labelmap(node, volume).labels)) == {0, 1}


def test_throwing_the_panel_away_ends_the_run(slicer_runtime: Any, bench: Bench) -> None:
    bench.choose_volume()
    bench.segment.seconds = 30.0
    bench.start()
    bench.panel.cleanup()
    assert bench.panel.logic.job is None
    assert segmentation_nodes() == []
    with pytest.raises(LightMedSegError, match="shutting down"):
        bench.panel.logic.process(bench.panel.logic.getParameterNode().inputVolume)


def test_a_warning_goes_when_the_region_of_interest_is_dragged_to_a_good_size(bench: Bench) -> None:
    import slicer

    card_input = {**bench.panel.models.card.to_json()["input"], "largest_extent_mm": [16, 16, 16]}
    bench.parameters.model = bench.add_model("crops", input=card_input)
    bench.choose_volume()
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
    roi.SetCenter((12, 12, 12))
    roi.SetSize((20, 20, 20))
    bench.parameters.roi = roi
    assert "choose a region of interest" in bench.ui.checksLabel.text
    roi.SetSize((12, 12, 12))
    bench.session.wait_until(lambda: not bench.ui.checksLabel.visible, what="the warning to go")
    bench.session.leave_module()
    roi.SetSize((20, 20, 20))
    bench.session.process_events(0.3)
    assert bench.ui.checksLabel.text == "", "nothing is looked at while the panel is not in use"


def test_the_work_goes_on_although_slicers_event_loop_keeps_pythons_lock(bench: Bench) -> None:
    """With such an interval this thread, too, gives the lock away only where it waits."""
    bench.choose_volume()
    bench.segment.seconds = 0.1
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        bench.ui.segmentButton.click()
        runner, patience = bench.panel.logic.runner, Patience(20, "the end of the run")
        while runner.job is not None:
            patience.check()
            runner._poll()
    finally:
        sys.setswitchinterval(interval)
    assert bench.ui.statusLabel.text.startswith("Done in ")
