"""Time and strokes from a result until it is a case."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from mrml_nodes import labels_of
from panel_bench import Bench

from LightMedSegLib.finetuning.cases.effort import Effort


@pytest.fixture
def counted(bench: Bench) -> Any:
    """A result, and a counter whose clock goes on by a second with each look, with a mouse that always moves."""
    counter = bench.panel.effort.counter
    ticks, moves = itertools.count(), itertools.count()
    counter.clock, counter.signs = lambda: float(next(ticks)), lambda: next(moves)
    bench.choose_volume()
    bench.run()
    counter._timer.stop()
    return counter


def work(counter: Any, seconds: int) -> None:
    for _ in range(seconds):
        counter.look()


def paint(bench: Bench, *voxel: int) -> None:
    """What the Segment Editor does in the layer that all segments share."""
    node = bench.parameters.outputSegmentation
    labels_of(node)[voxel] = 1
    segmentation = node.GetSegmentation()
    image = segmentation.GetNthSegment(0).GetRepresentation("Binary labelmap")
    image.GetPointData().GetScalars().Modified()
    segmentation.InvokeEvent(segmentation.RepresentationModified)
    bench.session.process_events()


def test_time_counts_only_while_somebody_works_here() -> None:
    from LightMedSegLib.gui.effort.active_time import IDLE_SECONDS, ActiveTime

    time = ActiveTime(10.0)
    for now in range(5):
        time.look(now, now, True)
    assert time.seconds == 14.0
    for now in range(5, 100):
        time.look(now, 4, True)
    assert time.seconds == pytest.approx(14.0 + IDLE_SECONDS, abs=1), "then nobody was there"
    before = time.seconds
    for now in range(100, 110):
        time.look(now, now, False)
    assert time.seconds == before, "another module"
    time.look(110, 110, True)
    time.look(4000, 111, True)
    assert time.seconds == before, "the computer slept"
    time.look(4001, 112, True)
    assert time.seconds == before + 1


def test_seconds_and_strokes_of_a_result_are_counted(bench: Bench, counted: Any) -> None:
    work(counted, 11)
    paint(bench, 0, 0, 0)
    paint(bench, 0, 0, 1)
    assert counted.effort() == Effort(10, 2)
    bench.panel.update()
    assert bench.ui.effortSectionButton.visible
    assert bench.ui.effortLabel.text == "This result so far: 10 s, strokes: 2."
    bench.session.leave_module()
    work(counted, 5)
    assert counted.effort() == Effort(10, 2), "another module is shown"
    bench.session.open_module("LightMedSeg")
    work(counted, 3)
    assert counted.effort() == Effort(12, 2)


def test_the_segment_editor_counts_with_this_segmentation_only(bench: Bench, counted: Any) -> None:
    import slicer

    bench.ui.editButton.click()
    work(counted, 4)
    assert counted.effort().seconds == 3
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Other")
    slicer.util.getModuleWidget("SegmentEditor").editor.setSegmentationNode(other)
    work(counted, 4)
    assert counted.effort().seconds == 3


def test_undo_is_no_stroke_and_neither_is_what_the_program_writes(bench: Bench, counted: Any) -> None:
    node = bench.parameters.outputSegmentation
    node.GetSegmentation().GetNthSegment(0).Modified()
    bench.session.process_events()
    with bench.panel.correct.completing._watch.writing():
        paint(bench, 0, 0, 2)
    assert counted.effort() == Effort(0, 0)


def test_a_new_result_in_the_same_node_begins_again(bench: Bench, counted: Any) -> None:
    node = bench.parameters.outputSegmentation
    work(counted, 6)
    assert counted.effort() == Effort(5, 0)
    assert bench.run() is node
    counted._timer.stop()
    assert counted.effort() == Effort(0, 0)


def test_counts_survive_saving_and_loading_the_scene(bench: Bench, counted: Any, tmp_path: Path) -> None:
    import slicer

    work(counted, 21)
    paint(bench, 0, 0, 0)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    bench.session.close_scene()
    assert counted.effort() is None and not bench.ui.effortSectionButton.visible
    slicer.util.loadScene(path)
    bench.session.process_events()
    assert counted.effort() == Effort(20, 1)


def test_without_strokes_the_time_is_kept_now_and_then(bench: Bench, counted: Any) -> None:
    from LightMedSegLib.mrml.segmentations.kept_effort import kept_effort

    node = bench.parameters.outputSegmentation
    work(counted, 30)
    assert kept_effort(node) == Effort(0, 0)
    work(counted, 1)
    assert kept_effort(node) == Effort(30, 0)


def test_one_click_switches_the_counting_off(bench: Bench, counted: Any) -> None:
    bench.ui.countEffortCheckBox.click()
    assert counted.effort() is None and not bench.ui.effortSectionButton.visible
    bench.ui.countEffortCheckBox.click()
    assert counted.effort() == Effort(0, 0)
