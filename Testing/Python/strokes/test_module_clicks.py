"""New structure from clicks: points, preview, keys, accepting and discarding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from correct_bench import BLOCK, UNKNOWN_MASK_MODE, CorrectBench
from panel_keys import press
from segment_editor_replay import raw_segments

from LightMedSegLib.mrml.segmentations.reading import read_masks


@pytest.fixture
def started(correct: CorrectBench) -> CorrectBench:
    """A scan is chosen, and a structure has been begun."""
    correct.add_scan()
    correct.bench.ui.correctSectionButton.collapsed = False
    correct.bench.ui.clicksButton.click()
    settle(correct)
    return correct


def settle(correct: CorrectBench) -> None:
    correct.session.process_events()
    correct.session.wait_until(lambda: not correct.section.clicks.busy, what="the structure")


def click(correct: CorrectBench, *index: float, include: bool = True) -> None:
    """What a click into a slice view does, and the structure that follows."""
    add_point(correct, *index, include=include)
    settle(correct)


def add_point(correct: CorrectBench, *index: float, include: bool = True) -> None:
    """A point in one of the lists, at a voxel (x, y, z)."""
    import vtk

    volume, matrix = correct.bench.parameters.inputVolume, vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    correct.section.clicks.points.lists[include].AddControlPointWorld(matrix.MultiplyPoint([*index, 1.0])[:3])


def mask(correct: CorrectBench) -> np.ndarray:
    structure = correct.section.clicks.structure
    return read_masks(structure.voxels.node, correct.bench.parameters.inputVolume)[structure.voxels.segment_id]


def point_lists() -> list[Any]:
    import slicer

    return list(slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode"))


def place_mode() -> tuple[int, str]:
    import slicer

    application = slicer.app.applicationLogic()
    return application.GetInteractionNode().GetCurrentInteractionMode(), (
        application.GetSelectionNode().GetActivePlaceNodeID()
    )


def test_clicks_make_a_segment_that_is_shown_at_once_and_accepted_with_enter(started: CorrectBench, view: Any) -> None:
    import slicer

    ui, keys = started.bench.ui, started.bench.panel.shortcuts.keys
    assert not ui.clicksButton.visible and ui.decisionWidget.visible and not ui.acceptButton.enabled
    assert place_mode() == (slicer.vtkMRMLInteractionNode.Place, started.section.clicks.points.lists[True].GetID())
    click(started, 9, 10, 11)
    bright = started.cube(*BLOCK) > 0
    assert np.count_nonzero(mask(started) & bright) > 0.5 * np.count_nonzero(bright)
    assert "voxels" in ui.clicksLabel.text and ui.acceptButton.enabled
    node = started.bench.parameters.outputSegmentation
    assert node.GetName() == "Scan structures"
    assert keys["Return"].enabled and keys["Esc"].enabled
    found = mask(started)
    press(view, "Return")
    assert not started.section.clicks.active and not point_lists()
    assert not keys["Return"].enabled and not keys["Esc"].enabled
    assert place_mode()[0] == slicer.vtkMRMLInteractionNode.ViewTransform
    masks = read_masks(node, started.bench.parameters.inputVolume)
    assert len(masks) == 1 and (next(iter(masks.values())) == found).all()
    assert ui.clicksButton.visible and ui.clicksLabel.text.startswith("The new segment has ")


def test_what_the_network_notes_stands_below_the_button(started: CorrectBench) -> None:
    started.completer.notes.append("CUDA ran out of memory; the CPU was used.")
    click(started, 9, 10, 11)
    text = started.bench.ui.clicksLabel.text
    assert text.endswith("Esc discards. CUDA ran out of memory; the CPU was used.")
    started.bench.ui.excludeButton.click()
    assert started.bench.ui.clicksLabel.text == text, "until the next points"
    click(started, 9, 10, 12)
    assert started.bench.ui.clicksLabel.text.endswith("Esc discards.")
    started.completer.notes.append("Another note.")
    click(started, 9, 10, 10)
    assert started.bench.ui.clicksLabel.text.endswith("Esc discards. Another note.")


def test_a_note_is_not_lost_while_more_points_wait(started: CorrectBench) -> None:
    clicks = started.section.clicks
    started.completer.notes.append("CUDA ran out of memory; the CPU was used.")
    for depth in (11, 12):
        add_point(started, 9, 10, depth)
    assert clicks.busy
    settle(started)
    assert started.bench.ui.clicksLabel.text.endswith("Esc discards. CUDA ran out of memory; the CPU was used.")


def test_esc_discards_the_structure_before_it_cancels_a_run(started: CorrectBench, view: Any) -> None:
    started.bench.segment.seconds = 30.0
    started.bench.start()
    press(view, "Esc")
    assert not started.section.clicks.active and started.bench.panel.run.running
    press(view, "Esc")
    started.bench.finish()


def test_points_of_the_other_list_exclude(started: CorrectBench) -> None:
    click(started, 9, 10, 11)
    before = np.count_nonzero(mask(started))
    started.bench.ui.excludeButton.click()
    assert place_mode()[1] == started.section.clicks.points.lists[False].GetID()
    assert started.bench.ui.excludeButton.checked and not started.bench.ui.includeButton.checked
    click(started, 9, 10, 11.4, include=False)
    assert np.count_nonzero(mask(started)) < before


def test_a_moved_and_a_removed_point_count_where_they_are_now(started: CorrectBench) -> None:
    click(started, 1, 1, 1)
    outside = mask(started)
    points = started.section.clicks.points.lists[True]
    import vtk

    matrix = vtk.vtkMatrix4x4()
    started.bench.parameters.inputVolume.GetIJKToRASMatrix(matrix)
    points.SetNthControlPointPositionWorld(0, *matrix.MultiplyPoint([9.0, 10.0, 11.0, 1.0])[:3])
    points.InvokeEvent(points.PointEndInteractionEvent)
    settle(started)
    assert mask(started)[11, 10, 9] and not (mask(started) & outside)[1, 1, 1]
    points.RemoveNthControlPoint(0)
    settle(started)
    assert not mask(started).any()


def test_under_a_masking_that_is_not_known_no_voxel_is_labelled(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    node = replay.segmentation
    replay.editor.SetMaskMode(UNKNOWN_MASK_MODE)
    correct.session.open_module("LightMedSeg")
    correct.bench.parameters.outputSegmentation = node
    correct.bench.ui.clicksButton.click()
    settle(correct)
    click(correct, 9, 10, 11)
    assert correct.bench.ui.clicksLabel.text.startswith("This masking of the Segment Editor is not supported")
    assert correct.section.clicks.active and not mask(correct).any()
    replay.editor.SetMaskMode(node.EditAllowedEverywhere)
    click(correct, 9, 10, 12)
    assert mask(correct).any()


def test_discard_leaves_nothing_behind(correct: CorrectBench) -> None:
    import slicer

    volume = correct.add_scan()
    node = correct.add_segmentation(volume, "object")
    correct.bench.parameters.outputSegmentation = node
    correct.bench.ui.clicksButton.click()
    settle(correct)
    click(correct, 9, 10, 11)
    assert node.GetSegmentation().GetNumberOfSegments() == 2
    correct.bench.ui.discardButton.click()
    assert list(node.GetSegmentation().GetSegmentIDs()) == ["object"] and not point_lists()
    assert not read_masks(node, volume)["object"].any()
    correct.bench.parameters.outputSegmentation = None
    nodes = len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))
    correct.bench.ui.clicksButton.click()
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == nodes + 1
    assert correct.section.discard() and not correct.section.discard()
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == nodes


def test_others_lose_voxels_only_when_it_is_accepted_and_never_what_was_painted_in_them(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    painted = correct.cube((6, 9), (7, 9), (8, 10)) > 0
    correct.completer.tolerance = 0.0
    replay.paint(painted)
    correct.settle()
    correct.completer.tolerance = 0.15
    correct.bench.ui.completeCheckBox.checked = False
    replay.smooth(painted | (correct.cube((10, 14), (7, 15), (8, 16)) > 0))
    before = replay.mask("object")
    correct.session.open_module("LightMedSeg")
    correct.bench.parameters.outputSegmentation = replay.segmentation
    correct.bench.ui.clicksButton.click()
    settle(correct)
    click(correct, 9, 12, 12)
    made = mask(correct)
    assert (replay.mask("object") == before).all(), "the preview takes nothing"
    assert (made & before).any() and not (made & painted).any()
    correct.bench.ui.acceptButton.click()
    assert (replay.mask("object") == (before & ~made)).all()


def test_an_undo_of_the_segment_editor_takes_the_structure_as_a_whole(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    replay.paint(correct.cube((1, 3), (1, 3), (1, 3)))
    correct.settle()
    before = raw_segments(replay.segmentation)
    correct.session.open_module("LightMedSeg")
    correct.bench.parameters.outputSegmentation = replay.segmentation
    correct.bench.ui.clicksButton.click()
    settle(correct)
    click(correct, 9, 12, 12)
    correct.section.accept()
    assert replay.segmentation.GetSegmentation().GetNumberOfSegments() == 2
    replay.undo()
    assert raw_segments(replay.segmentation) == before


@pytest.mark.parametrize("chosen", [False, True])
def test_a_volume_that_cannot_be_used_begins_nothing(correct: CorrectBench, chosen: bool) -> None:
    import slicer

    slice_alone = slicer.util.addVolumeFromArray(np.zeros((1, 24, 24), dtype=np.int16), name="One slice")
    correct.bench.parameters.inputVolume = slice_alone
    if chosen:
        correct.bench.parameters.outputSegmentation = correct.add_segmentation(slice_alone, "object")
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    before, mode = [list(node.GetSegmentation().GetSegmentIDs()) for node in nodes], place_mode()
    correct.bench.ui.clicksButton.click()
    assert "'One slice' is a single slice" in correct.bench.ui.clicksLabel.text
    assert not correct.section.clicks.active and not point_lists() and place_mode() == mode
    after = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    assert after == nodes and [list(node.GetSegmentation().GetSegmentIDs()) for node in after] == before


@pytest.mark.parametrize("event", ["scene", "node", "segment", "volume", "leave", "points", "reload"])
def test_anything_may_happen_while_a_structure_is_made(started: CorrectBench, event: str) -> None:
    import slicer

    structure, keys = started.section.clicks.structure, started.bench.panel.shortcuts.keys
    node, volume = structure.voxels.node, started.bench.parameters.inputVolume
    started.section.clicks.points.lists[True].AddControlPointWorld((0, 0, 0))
    if event == "scene":
        started.session.close_scene()
    elif event == "node":
        slicer.mrmlScene.RemoveNode(node)
    elif event == "segment":
        node.GetSegmentation().RemoveSegment(structure.voxels.segment_id)
    elif event == "volume":
        slicer.mrmlScene.RemoveNode(volume)
    elif event == "leave":
        started.session.leave_module()
        assert place_mode()[0] == slicer.vtkMRMLInteractionNode.ViewTransform
        started.session.open_module("LightMedSeg")
        assert started.section.clicks.active and place_mode()[0] == slicer.vtkMRMLInteractionNode.Place
    elif event == "points":
        for points in point_lists():
            slicer.mrmlScene.RemoveNode(points)
    else:
        started.bench.panel.cleanup()
    started.session.process_events(0.3)
    if event in ("scene", "node", "segment", "volume", "reload"):
        assert not started.section.clicks.active
        assert not point_lists()
        assert not any(key == "Return" and shortcut.enabled for key, shortcut in keys.items())
