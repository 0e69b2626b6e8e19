"""Segments as voxels of a correction: any geometry, blocks that keep layers, masking, and marks in the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError

TURNED = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])


def painted(desk: Any) -> tuple[Any, np.ndarray]:
    """The correction of a segment in which a cube was painted, and the mask that is expected of it."""
    desk.replay.add("object")
    voxels = desk.cube((6, 11), (5, 9), (4, 8))
    desk.replay.paint(voxels)
    return desk.correct("object"), voxels > 0


@pytest.mark.parametrize("transform", ["none", "both", "volume"])
@pytest.mark.parametrize("direction", [None, TURNED])
def test_strokes_are_where_they_were_painted(direction: Any, transform: str) -> None:
    """On oblique volumes, and under transforms, also if only the volume is under one."""
    from mrml_nodes import add_transform, put_under
    from stroke_desk import StrokeDesk, two_tone_scan

    desk = StrokeDesk(two_tone_scan(direction))
    if transform != "none":
        turn = np.eye(4)
        turn[:3, :3], turn[:3, 3] = TURNED.T, (20.0, -7.0, 3.0)
        move = add_transform(desk.scene, turn)
        put_under(desk.volume, move)
        if transform == "both":
            put_under(desk.node, move)
    if transform == "volume":
        check_that_the_lattice_is_the_segmentations_own(desk)
        return
    correction, expected = painted(desk)
    assert correction.voxels.lattice.of_volume
    assert (correction.session.mask == expected).all() and (correction.voxels.mask() == expected).all()


def check_that_the_lattice_is_the_segmentations_own(desk: Any) -> None:
    from stub_completer import StubCompleter

    from LightMedSegLib.mrml.strokes.correction import SegmentCorrection
    from LightMedSegLib.mrml.strokes.lattice import Lattice
    from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
    from LightMedSegLib.mrml.volumes import snapshot

    desk.replay.add("object")
    voxels = desk.cube((6, 11), (5, 9), (4, 8))
    desk.replay.paint(voxels)
    lattice = Lattice.of(desk.node, desk.volume)
    assert not lattice.of_volume and lattice.grid.shape == voxels.shape
    correction = SegmentCorrection(SegmentVoxels(desk.node, "object", lattice))
    image = lattice.image(snapshot(desk.volume))
    assert image.GetSize() == lattice.grid.size
    correction.begin(image, StubCompleter())
    assert (correction.session.mask == (voxels > 0)).all()


def test_a_segmentation_with_finer_voxels_is_corrected_on_its_own() -> None:
    from mrml_nodes import add_painted_segment, add_volume
    from stroke_desk import StrokeDesk, two_tone_scan

    from LightMedSegLib.mrml.strokes.lattice import Lattice
    from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels
    from LightMedSegLib.mrml.volumes import snapshot

    desk = StrokeDesk()
    scan = two_tone_scan()
    fine = sitk.Resample(scan, [2 * size for size in scan.GetSize()], sitk.Transform(), sitk.sitkLinear,
                         scan.GetOrigin(), [mm / 2 for mm in scan.GetSpacing()], scan.GetDirection())  # fmt: skip
    reference = add_volume(desk.scene, fine, "Fine")
    node = desk.scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    voxels = np.zeros(sitk.GetArrayViewFromImage(fine).shape, dtype=np.uint8)
    voxels[8:20, 11:23, 13:31] = 1
    name = add_painted_segment(node, reference, voxels, "object")
    lattice = Lattice.of(node, desk.volume)
    segment = SegmentVoxels(node, name, lattice)
    assert not lattice.of_volume and lattice.grid.shape == voxels.shape
    assert (segment.mask() == (voxels > 0)).all()
    image = sitk.GetArrayFromImage(lattice.image(snapshot(desk.volume)))
    expected = sitk.GetArrayFromImage(fine)
    inside = (slice(0, -2),) * 3
    assert np.abs(image[inside].astype(float) - expected[inside]).max() <= 1
    box = ((12, 14), (10, 12), (7, 9))
    segment.write(box, segment.part(box), np.ones((2, 2, 2), dtype=bool))
    voxels[7:9, 10:12, 12:14] = 1
    assert (segment.mask() == (voxels > 0)).all()


def test_a_non_linear_transform_is_refused_in_words() -> None:
    from mrml_nodes import add_warp, put_under
    from stroke_desk import StrokeDesk

    from LightMedSegLib.mrml.strokes.lattice import Lattice

    desk = StrokeDesk()
    put_under(desk.volume, add_warp(desk.scene))
    with pytest.raises(InputImageError, match="non-linear"):
        Lattice.of(desk.node, desk.volume)


@pytest.fixture
def shared() -> Any:
    """Two segments in one layer: "one" and, right beside it, "two"."""
    from stroke_desk import StrokeDesk

    desk = StrokeDesk()
    desk.replay.add("one")
    desk.replay.paint(desk.cube((4, 8), (4, 8), (4, 8)))
    desk.replay.add("two")
    desk.replay.paint(desk.cube((8, 12), (4, 8), (4, 8)))
    desk.share_a_layer()
    assert desk.layers() == 1
    desk.correct("one")
    return desk


def write(desk: Any, box: Any, after: Any, overwritten: Any = ()) -> None:
    voxels = desk.correction.voxels
    before = voxels.part(box)
    voxels.write(box, before, np.broadcast_to(after, before.shape), overwritten)


def test_additions_and_removals_keep_the_shared_layer(shared: Any) -> None:
    two = shared.mask("two")
    write(shared, ((2, 4), (4, 8), (4, 8)), True)
    write(shared, ((4, 6), (4, 8), (4, 8)), False)
    expected = shared.cube((2, 4), (4, 8), (4, 8)) + shared.cube((6, 8), (4, 8), (4, 8))
    assert (shared.mask("one") == (expected > 0)).all() and (shared.mask("two") == two).all()
    assert shared.layers() == 1


def test_an_overwritten_segment_loses_its_voxels_and_another_one_keeps_them_in_a_layer_of_its_own(shared: Any) -> None:
    two, box = shared.mask("two"), ((7, 10), (4, 8), (4, 8))
    write(shared, box, True, ["two"])
    taken = shared.cube(*box) > 0
    assert shared.mask("one")[taken].all() and (shared.mask("two") == (two & ~taken)).all()
    assert shared.layers() == 1
    write(shared, ((10, 12), (4, 8), (4, 8)), True)
    assert (shared.mask("two") == (two & ~taken)).all(), "overlapping is permitted"
    assert shared.layers() == 2


def test_an_empty_segment_in_a_shared_layer_takes_its_first_voxels(shared: Any) -> None:
    shared.replay.add("three")
    shared.share_a_layer()
    shared.correct("three")
    write(shared, ((14, 16), (14, 16), (14, 16)), True)
    assert np.count_nonzero(shared.mask("three")) == 8 and np.count_nonzero(shared.mask("two")) == 64


def test_the_masking_of_the_segment_editor_limits_completions(shared: Any) -> None:
    from LightMedSegLib.mrml.strokes.masking import Masking, overwritten_segments

    node, editor, lattice = shared.node, shared.replay.editor, shared.correction.voxels.lattice
    values = sitk.GetArrayFromImage(shared.correction.session.volume)
    assert Masking.of(editor, node, "one", lattice).allowed(values) is None
    assert Masking.of(None, node, "one", lattice).allowed(values) is None
    editor.SetMaskMode(node.EditAllowedOutsideAllSegments)
    outside = Masking.of(editor, node, "one", lattice).allowed(values)
    assert (outside == ~shared.mask("two")).all(), "the edited segment may always change"
    editor.SetMaskMode(node.EditAllowedEverywhere)
    editor.SetSourceVolumeIntensityMask(True)
    editor.SetSourceVolumeIntensityMaskRange(50.0, 200.0)
    assert (Masking.of(editor, node, "one", lattice).allowed(values) == ((values >= 50) & (values <= 200))).all()
    assert overwritten_segments(editor, node, "one") == ["two"] == overwritten_segments(None, node, "one")
    editor.SetOverwriteMode(editor.OverwriteVisibleSegments)
    node.GetDisplayNode().SetSegmentVisibility("two", False)
    assert overwritten_segments(editor, node, "one") == []
    node.GetDisplayNode().SetSegmentVisibility("two", True)
    assert overwritten_segments(editor, node, "one") == ["two"]
    editor.SetOverwriteMode(editor.OverwriteNone)
    assert overwritten_segments(editor, node, "one") == []


def test_a_masking_that_slicer_refuses_to_compute_permits_nothing(shared: Any) -> None:
    from correct_bench import UNKNOWN_MASK_MODE

    from LightMedSegLib.mrml.strokes.masking import Masking

    shared.replay.editor.SetMaskMode(UNKNOWN_MASK_MODE)
    with pytest.raises(InputImageError, match="masking of the Segment Editor is not supported"):
        Masking.of(shared.replay.editor, shared.node, "one", shared.correction.voxels.lattice)


def test_what_was_painted_in_another_segment_is_protected(shared: Any) -> None:
    from LightMedSegLib.mrml.strokes.masking import Masking

    shared.correct("two")
    stroke = shared.cube((12, 14), (4, 6), (4, 6)) > 0
    shared.replay.paint(stroke)
    shared.take()
    lattice = shared.correction.voxels.lattice
    allowed = Masking.of(shared.replay.editor, shared.node, "one", lattice).allowed(np.zeros(shared.shape))
    assert (allowed == ~stroke).all()


def test_marks_are_in_the_scene_file_and_damaged_ones_are_left_out(tmp_path: Path) -> None:
    from stroke_desk import StrokeDesk

    from LightMedSegLib.mrml.strokes.marks import forget_marks, keep_marks, kept_marks

    desk = StrokeDesk()
    correction, _ = painted(desk)
    assert kept_marks(desk.node) == {}
    desk.replay.paint(desk.cube((12, 14), (5, 9), (4, 8)))
    desk.settle()
    kept = kept_marks(desk.node)["object"]
    state = correction.session.state()
    assert all((kept[name] == state[name]).all() for name in state) and kept["completed_boxes"].shape == (1, 3, 2)
    texts = desk.scene.GetNodesByClass("vtkMRMLTextNode")
    assert texts.GetNumberOfItems() == 1
    text = texts.GetItemAsObject(0)
    assert text.GetHideFromEditors() and text.GetSaveWithScene() and len(text.GetText()) < 20_000
    keep_marks(desk.node, "other", state)
    keep_marks(desk.node, "other", None)
    keep_marks(desk.node, "never kept", None)
    assert list(kept_marks(desk.node)) == ["object"]
    for damaged in ("", "no JSON", "[]", '{"format": "another", "segments": {"object": {}}}'):
        text.SetText(damaged)
        assert kept_marks(desk.node) == {}
    text.SetText('{"format": "LightMedSeg marks 1", "segments": {"object": {"shape": {"type": "<i8"}}, "b": 3}}')
    assert kept_marks(desk.node) == {}
    assert desk.correct("object").ready, "damaged marks do not stop a correction"
    forget_marks(desk.node)
    assert desk.scene.GetNumberOfNodesByClass("vtkMRMLTextNode") == 0


def test_a_new_result_in_the_node_forgets_the_marks() -> None:
    from model_factory import make_card
    from stroke_desk import StrokeDesk

    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.mrml.segmentations.writing import write_result
    from LightMedSegLib.mrml.strokes.marks import kept_marks

    desk = StrokeDesk()
    painted(desk)
    desk.replay.paint(desk.cube((12, 14), (5, 9), (4, 8)))
    desk.settle()
    assert kept_marks(desk.node)
    card = ModelCard.from_json(make_card(weights={"sha256": "ab" * 32}))
    write_result(desk.volume, np.zeros(desk.shape, dtype=np.uint8), card, desk.node)
    assert not kept_marks(desk.node)
