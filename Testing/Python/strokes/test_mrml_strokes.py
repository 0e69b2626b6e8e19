"""What each action of the Segment Editor means to a correction: the documented sequences, on Slicer's core."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def desk() -> Any:
    from stroke_desk import StrokeDesk

    desk = StrokeDesk()
    desk.replay.add("object")
    desk.correct("object")
    return desk


class _ReachedError(Exception):
    """What follows the loading of torch."""


def test_every_job_loads_torch_in_small_steps_before_it_computes(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain import of torch stops the window three times."""
    from LightMedSegLib.mrml.strokes import completion_jobs

    loads: list[str] = []

    def reached(*arguments: Any, **others: Any) -> None:
        raise _ReachedError

    monkeypatch.setattr(completion_jobs, "load_torch_quietly", lambda: loads.append("loaded"))
    double: Any = SimpleNamespace(snapshot=reached, mask=reached, warm_up=reached, image=lambda part: None)
    context: Any = SimpleNamespace(cancel=None, publish=lambda value: None)
    followers = (lambda value: None, lambda: "", lambda job: None)
    volume = completion_jobs.volume_job(desk.volume, double, double, *followers)
    list(volume.preparation)
    strokes = completion_jobs.completion_job(double, double, double, *followers)
    points = completion_jobs.points_job(double, [], double, *followers)
    for number, job in enumerate((volume, strokes, points), start=1):
        with pytest.raises(_ReachedError):
            job.work(context)
        assert len(loads) == number


def names(taken: Any) -> str:
    return "" if taken is None else taken.kind.value


@pytest.mark.parametrize("effect", ["Paint", "Draw"])
def test_a_stroke_is_a_prompt_and_its_completion_follows_the_edges(desk: Any, effect: str) -> None:
    from stroke_desk import BLOCK

    stroke = desk.cube((9, 12), (8, 11), (8, 9))
    desk.replay.paint(stroke, effect)
    taken = desk.settle()
    assert names(taken) == "stroke" and [part.include for part in taken.strokes] == [True]
    assert np.count_nonzero(taken.strokes[0].voxels) == np.count_nonzero(stroke)
    found, bright = desk.mask(), desk.cube(*BLOCK)
    assert np.count_nonzero(found & (bright > 0)) > 0.6 * np.count_nonzero(bright)
    assert np.count_nonzero(found & (bright == 0)) < 0.1 * np.count_nonzero(bright)
    assert (desk.correction.session.mask == found).all()
    assert ((desk.correction.session.hard == 1) == (stroke > 0)).all()


def test_an_erasure_is_a_prompt_to_remove(desk: Any) -> None:
    desk.replay.scissors(desk.cube((0, 1), (0, 1), (0, 1)))
    desk.replay.smooth(desk.cube((2, 26), (2, 22), (2, 18)))
    desk.settle()
    desk.correct("object")
    desk.correction.session.restore(without_marks(desk))
    desk.replay.erase(desk.cube((22, 24), (10, 12), (8, 10)))
    taken = desk.settle()
    assert names(taken) == "stroke" and [part.include for part in taken.strokes] == [False]
    assert np.count_nonzero(desk.mask()) < 22 * 20 * 16 - 8
    assert (desk.correction.session.mask == desk.mask()).all()


def without_marks(desk: Any) -> dict[str, np.ndarray]:
    from LightMedSegLib.interaction.saved_state import to_arrays

    return to_arrays(np.zeros(desk.shape, dtype=np.int8), [], False)


@pytest.mark.parametrize("action", ["scissors", "smooth", "islands", "threshold"])
def test_other_effects_are_edits_without_a_completion(desk: Any, action: str) -> None:
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    calls, before = desk.completer.calls, desk.mask()
    wanted = desk.cube((7, 11), (6, 11), (6, 9)) > 0
    getattr(desk.replay, action)(wanted)
    assert names(desk.settle()) == "edit"
    assert desk.completer.calls == calls
    after = before & ~wanted if action == "scissors" else wanted
    assert (desk.mask() == after).all() and (desk.correction.session.mask == after).all()
    changed = before ^ after
    assert (desk.correction.session.hard[changed] == np.where(after[changed], 1, -1)).all()


def test_effects_that_empty_the_segment_first_are_read_when_they_are_done(desk: Any) -> None:
    """Both events come before the event loop runs: nothing may be taken from the empty segment in between."""
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    empty = []
    desk.watch._on_news = lambda: empty.append(not desk.mask().any())
    desk.replay.smooth(desk.mask())
    assert empty == [True]
    assert desk.settle() is None


def test_undo_takes_stroke_and_completion_back_and_redo_brings_both(desk: Any) -> None:
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    before, hard, strokes = desk.raw(), desk.correction.session.hard.copy(), len(desk.correction.session.strokes)
    desk.replay.erase(desk.cube((6, 8), (5, 17), (4, 14)))
    desk.settle()
    after, marks = desk.raw(), desk.correction.session.hard.copy()
    desk.replay.undo()
    assert names(desk.settle()) == "follow"
    assert desk.raw() == before
    assert (desk.correction.session.hard == hard).all() and len(desk.correction.session.strokes) == strokes
    desk.replay.redo()
    assert names(desk.settle()) == "follow"
    assert desk.raw() == after
    assert (desk.correction.session.hard == marks).all()
    desk.replay.undo()
    desk.replay.undo()
    desk.settle()
    assert not desk.mask().any() and not desk.correction.session.hard.any()


def test_undo_to_before_the_correction_keeps_only_marks_that_are_still_true(desk: Any) -> None:
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    desk.correct("object")
    assert (desk.correction.session.hard == 1).any()
    desk.replay.undo()
    assert names(desk.settle()) == "follow"
    assert not desk.mask().any() and not desk.correction.session.mask.any()
    assert not desk.correction.session.hard.any()
    desk.replay.redo()
    assert names(desk.settle()) == "follow"
    assert desk.mask().any() and (desk.correction.session.hard == 1).any() and desk.correction.session.hard.min() == 0


@pytest.mark.parametrize("action", ["rename", "hide", "other segment", "touch"])
def test_what_changes_no_voxel_changes_nothing(desk: Any, action: str) -> None:
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    hard, segmentation = desk.correction.session.hard.copy(), desk.node.GetSegmentation()
    if action == "rename":
        segmentation.GetSegment("object").SetName("Organ")
    elif action == "hide":
        desk.node.GetDisplayNode().SetSegmentVisibility("object", False)
    elif action == "other segment":
        desk.replay.add("other")
        segmentation.RemoveSegment("other")
    else:
        segmentation.GetSegment("object").GetRepresentation("Binary labelmap").Modified()
    assert desk.settle() is None
    assert (desk.correction.session.hard == hard).all()


@pytest.mark.parametrize("shared", [False, True])
def test_painting_another_segment_over_this_one_is_an_edit_of_this_one(desk: Any, shared: bool) -> None:
    """In a shared layer the segment that loses voxels sends no event of its own."""
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    desk.replay.add("other")
    if shared:
        desk.share_a_layer()
    desk.correct("object")
    before, calls = desk.mask(), desk.completer.calls
    desk.replay.select("other")
    taken = desk.cube((8, 13), (7, 12), (7, 10)) > 0
    desk.replay.paint(taken)
    assert names(desk.settle()) == "edit" and desk.completer.calls == calls
    assert (desk.mask("object") == (before & ~taken)).all()
    assert (desk.correction.session.hard[before & taken] == -1).all()


def test_a_write_of_a_script_is_an_edit(desk: Any) -> None:
    """slicer.util.updateSegmentBinaryLabelmapFromArray sends no RepresentationModified."""
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    calls = desk.completer.calls
    mask = desk.mask().copy()
    mask[:, :6] = True
    update_from_array(mask, desk)
    assert names(desk.settle()) == "edit" and desk.completer.calls == calls
    assert (desk.mask() == mask).all()


def update_from_array(mask: np.ndarray, desk: Any) -> None:
    """The calls of slicer.util.updateSegmentBinaryLabelmapFromArray that reach the segmentation."""
    import slicer
    import vtk

    logic = slicer.vtkSlicerSegmentationsModuleLogic
    label = desk.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    image = desk.correction.voxels.lattice.block(desk.correction.voxels.lattice.grid.box, mask.astype(np.uint8))
    label.SetAndObserveImageData(image)
    label.CopyOrientation(desk.volume)
    ids = vtk.vtkStringArray()
    ids.InsertNextValue(desk.correction.voxels.segment_id)
    logic.ImportLabelmapToSegmentationNode(label, desk.node, ids)
    desk.scene.RemoveNode(label)


def test_the_writes_of_a_completion_are_not_taken_for_strokes(desk: Any) -> None:
    desk.replay.paint(desk.cube((9, 12), (8, 11), (8, 9)))
    desk.settle()
    assert not desk.watch.waiting and desk.settle() is None


def test_a_replaced_segmentation_is_told(desk: Any) -> None:
    import slicer

    gone: list[str] = []
    desk.watch._on_gone = gone.append
    desk.node.SetAndObserveSegmentation(slicer.vtkSegmentation())
    assert gone == [""]
    desk.node.GetSegmentation().AddEmptySegment("new")
    desk.watch.take()
    desk.node.GetSegmentation().RemoveSegment("new")
    assert gone == ["", "new"]
