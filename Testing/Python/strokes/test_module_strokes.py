"""Complete my strokes: the switch, what it completes, and what can happen at any moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from correct_bench import BLOCK, UNKNOWN_MASK_MODE, CorrectBench
from segment_editor_replay import raw_segments


def test_the_switch_is_off_and_nothing_is_completed_without_it(correct: CorrectBench) -> None:
    volume = correct.add_scan()
    replay = correct.edit(correct.add_segmentation(volume, "object"), volume)
    assert not correct.bench.ui.completeCheckBox.checked
    stroke = correct.cube((8, 10), (8, 10), (10, 12))
    replay.paint(stroke)
    correct.settle()
    assert (replay.mask("object") == (stroke > 0)).all()


def test_a_stroke_is_completed_while_the_segment_editor_is_shown(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    assert not correct.bench.panel.state.in_use
    replay.paint(correct.cube((8, 10), (8, 10), (10, 12)))
    correct.settle()
    found, bright = replay.mask("object"), correct.cube(*BLOCK) > 0
    assert np.count_nonzero(found & bright) > 0.7 * np.count_nonzero(bright)
    assert np.count_nonzero(found & ~bright) < 0.1 * np.count_nonzero(bright)
    assert "added in" in correct.status and "ml" in correct.status
    assert correct.in_step()


def test_undo_of_the_segment_editor_takes_stroke_and_completion_together(correct: CorrectBench) -> None:
    import slicer

    replay, editor = correct.switch_on(), slicer.util.getModuleWidget("SegmentEditor").editor
    replay.paint(correct.cube((8, 10), (8, 10), (10, 12)))
    correct.settle()
    before = raw_segments(replay.segmentation)
    replay.erase(correct.cube((4, 6), (5, 17), (6, 18)))
    correct.settle()
    after = raw_segments(replay.segmentation)
    editor.undo()
    correct.settle()
    assert raw_segments(replay.segmentation) == before and correct.in_step()
    editor.redo()
    correct.settle()
    assert raw_segments(replay.segmentation) == after and correct.in_step()


def test_a_second_stroke_while_the_first_computes_is_completed_after_it(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    first, second = correct.cube((8, 10), (8, 10), (10, 12)), correct.cube((20, 22), (20, 22), (20, 22))
    replay.paint(first)
    correct.completing.look()
    assert correct.completing.busy
    replay.paint(second)
    correct.settle()
    found, bright = replay.mask("object"), correct.cube(*BLOCK) > 0
    assert found[second > 0].all() and np.count_nonzero(found & bright) > 0.7 * np.count_nonzero(bright)
    assert (correct.completing.correction.session.hard[(first | second) > 0] == 1).all()
    assert correct.in_step()


def test_an_erasure_while_a_stroke_computes_is_not_painted_over(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    replay.paint(correct.cube((8, 12), (8, 12), (10, 12)))
    correct.completing.look()
    erased = correct.cube((8, 10), (8, 12), (10, 12)) > 0
    replay.erase(erased)
    correct.settle()
    assert not replay.mask("object")[erased].any()
    assert (correct.completing.correction.session.hard[erased] == -1).all()
    assert correct.in_step()


def test_undo_while_a_stroke_computes_drops_its_completion(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    before = raw_segments(replay.segmentation)
    replay.paint(correct.cube((8, 10), (8, 10), (10, 12)))
    correct.completing.look()
    replay.undo()
    correct.settle()
    assert raw_segments(replay.segmentation) == before and correct.in_step()


@pytest.mark.parametrize("event", ["scene", "node", "segment", "volume", "other segment", "switch", "reload"])
def test_anything_may_happen_while_a_stroke_computes(correct: CorrectBench, event: str) -> None:
    import slicer

    replay = correct.switch_on()
    node, volume = replay.segmentation, replay.volume
    node.GetSegmentation().AddEmptySegment("other", "other")
    stroke = correct.cube((8, 10), (8, 10), (10, 12)) > 0
    replay.paint(stroke)
    correct.completing.look()
    assert correct.completing.busy
    if event == "scene":
        correct.session.close_scene()
        assert not correct.bench.ui.completeCheckBox.checked
    elif event == "node":
        slicer.mrmlScene.RemoveNode(node)
    elif event == "segment":
        node.GetSegmentation().RemoveSegment("object")
    elif event == "volume":
        slicer.mrmlScene.RemoveNode(volume)
    elif event == "other segment":
        replay.select("other")
    elif event == "switch":
        correct.bench.ui.completeCheckBox.checked = False
    else:
        correct.bench.panel.cleanup()
    correct.session.process_events(0.3)
    if event in ("volume", "other segment", "switch"):
        correct.settle()
        assert (replay.mask("object")[stroke]).all()


def test_marks_are_kept_in_the_scene(correct: CorrectBench, tmp_path: Any) -> None:
    import slicer

    replay = correct.switch_on()
    stroke = correct.cube((8, 10), (8, 10), (10, 12)) > 0
    replay.paint(stroke)
    correct.settle()
    correct.bench.ui.completeCheckBox.checked = False
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    correct.session.close_scene()
    slicer.util.loadScene(path)
    node, volume = slicer.util.getNode("Segments"), slicer.util.getNode("Scan")
    replay = correct.edit(node, volume)
    correct.bench.ui.completeCheckBox.checked = True
    correct.settle()
    session = correct.completing.correction.session
    assert ((session.hard == 1) == stroke).all() and len(session.strokes) == 1
    assert (session.mask == replay.mask("object")).all()


def test_a_failure_is_told_and_the_stroke_stays(correct: CorrectBench) -> None:
    from LightMedSegLib.core.errors import ModelPackageError

    def fail(*arguments: Any) -> Any:
        raise ModelPackageError("The model is damaged; install the extension again.")

    replay = correct.switch_on()
    correct.completer.probability = fail  # type: ignore[method-assign]
    stroke = correct.cube((8, 10), (8, 10), (10, 12)) > 0
    replay.paint(stroke)
    correct.settle()
    assert correct.status == "Your stroke was not completed. The model is damaged; install the extension again."
    assert (replay.mask("object") == stroke).all() and correct.in_step()


def test_under_a_masking_that_is_not_known_nothing_is_completed(correct: CorrectBench) -> None:
    replay = correct.switch_on()
    stroke = correct.cube((8, 10), (8, 10), (10, 12)) > 0
    replay.paint(stroke)
    replay.editor.SetMaskMode(UNKNOWN_MASK_MODE)
    correct.settle()
    assert correct.status.startswith("Your stroke was not completed. This masking of the Segment Editor is not")
    assert (replay.mask("object") == stroke).all() and not correct.completer.calls
    replay.editor.SetMaskMode(replay.segmentation.EditAllowedEverywhere)
    replay.paint(correct.cube((10, 12), (8, 10), (10, 12)))
    correct.settle()
    assert correct.completer.calls and correct.in_step()


def test_what_the_network_notes_is_told_once(correct: CorrectBench) -> None:
    replay, note = correct.switch_on(), "CUDA ran out of memory; the CPU was used."
    correct.completer.notes.append(note)
    replay.paint(correct.cube((8, 10), (8, 10), (10, 12)))
    correct.settle()
    assert "added in" in correct.status and correct.status.endswith(f" s. {note}")
    replay.erase(correct.cube((4, 6), (5, 17), (6, 18)))
    correct.settle()
    assert correct.status and note not in correct.status


def test_the_status_says_what_is_missing(correct: CorrectBench) -> None:
    correct.bench.ui.completeCheckBox.checked = True
    assert correct.status == "Open the Segment Editor and choose a segmentation."
    volume = correct.add_scan()
    node = correct.add_segmentation(volume)
    replay = correct.edit(node, volume)
    assert correct.status == "Choose a segment in the Segment Editor."
    replay.add("object")
    assert correct.status == "Paint, draw or erase in the Segment Editor."
    replay.editor.SetAndObserveSourceVolumeNode(None)
    assert correct.completing.correction is not None, "the segmentation knows its volume"
    node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), None)
    replay.add("another")
    assert correct.status == "Choose the volume of the segmentation in the Segment Editor."
