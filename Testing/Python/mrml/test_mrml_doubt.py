"""The doubt volume of a result, its places, and its overlay in the slice views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import add_transform, add_volume, put_under

from LightMedSegLib.inference.result import as_image
from LightMedSegLib.inference.segmentation import Segmentation
from LightMedSegLib.model.card import ModelCard


@pytest.fixture
def result(labelmap: sitk.Image, card: ModelCard) -> Segmentation:
    """Doubt at the first plane of each of the two boxes."""
    doubt = np.zeros((16, 20, 24), dtype=np.uint8)
    doubt[3, 4:12, 5:11] = 200
    doubt[13, 6:15, 8:20] = 100
    return Segmentation(labelmap, card, {}, "cpu", doubt=as_image(doubt, labelmap))


@pytest.fixture
def node(scan: Any, labels: np.ndarray, card: ModelCard) -> Any:
    from LightMedSegLib.mrml.segmentations.writing import write_result

    return write_result(scan, labels, card)


def test_the_volume_has_the_voxels_and_the_geometry_of_the_scan(scan: Any, node: Any, result: Segmentation) -> None:
    from LightMedSegLib.mrml.doubt.volume import PackedDoubt, doubt_of, write_doubt
    from LightMedSegLib.mrml.volumes import volume_grid, voxels

    packed = PackedDoubt.of(result)
    assert packed is not None
    made = write_doubt(node, scan, packed)
    assert doubt_of(node) is made and made.GetName() == f"{node.GetName()} doubt"
    assert volume_grid(made).same_as(volume_grid(scan))
    assert np.array_equal(voxels(made), sitk.GetArrayFromImage(result.doubt))
    assert not made.GetSaveWithScene() and not made.GetDisplayNode().GetSaveWithScene()
    display = made.GetDisplayNode()
    assert (display.GetLowerThreshold(), display.GetApplyThreshold()) == (64, 1), "certain voxels are transparent"


def test_a_new_result_replaces_the_doubt_and_one_without_removes_it(scan: Any, node: Any, result: Any) -> None:
    from LightMedSegLib.mrml.doubt.places import keep_looked_at, looked_at
    from LightMedSegLib.mrml.doubt.volume import PackedDoubt, doubt_of, write_doubt

    first = write_doubt(node, scan, PackedDoubt.of(result))
    keep_looked_at(first, {1, 0})
    assert looked_at(first) == {0, 1}
    assert write_doubt(node, scan, PackedDoubt.of(result)) is first
    assert looked_at(first) == set(), "the places of a new result were not looked at"
    assert write_doubt(node, scan, None) is None and doubt_of(node) is None


def test_places_are_kept_and_found_again_under_a_transform(scan: Any, node: Any, result: Any) -> None:
    from LightMedSegLib.mrml.doubt.places import jump_to, kept_places
    from LightMedSegLib.mrml.doubt.volume import PackedDoubt, write_doubt
    from LightMedSegLib.mrml.volumes import array_to_world

    made = write_doubt(node, scan, PackedDoubt.of(result))
    places = kept_places(made)
    assert [place.structure for place in places] == ["Structure 2", "Structure 1"]
    assert [place.voxel[2] for place in places] == [13, 3]
    assert places[0].candidates == ("Structure 2", "") and places[0].share + places[1].share == pytest.approx(
        1, abs=1e-4
    )
    slices = made.GetScene().AddNewNodeByClass("vtkMRMLSliceNode")
    slices.SetOrientationToAxial()
    put_under(made, add_transform(made.GetScene(), np.array([[0, -1.0, 0], [1, 0, 0], [0, 0, 1]])))
    jump_to(made, places[1])
    point = (array_to_world(made) @ [*places[1].voxel, 1])[:3]
    to_ras = slices.GetSliceToRAS()
    assert [to_ras.GetElement(row, 3) for row in range(3)] == pytest.approx(point.tolist())


@pytest.mark.parametrize("text", ["", "[]", '{"places":[{"voxel":[0,0]}]}', "{"])
def test_places_that_were_damaged_are_none(scan: Any, text: str) -> None:
    from LightMedSegLib.mrml.doubt.places import keep_places, kept_places

    keep_places(scan, text)
    assert kept_places(scan) == ()


def test_places_of_another_size_are_none(scan: Any, node: Any, result: Any) -> None:
    from LightMedSegLib.mrml.doubt.places import keep_places, kept_places, kept_text
    from LightMedSegLib.mrml.doubt.volume import PackedDoubt, write_doubt

    made = write_doubt(node, scan, PackedDoubt.of(result))
    small = add_volume(made.GetScene(), sitk.Image(4, 4, 4, sitk.sitkUInt8), "Small")
    keep_places(small, kept_text(made))
    assert kept_places(small) == ()


@pytest.fixture
def views(slicer_runtime: Any) -> Iterator[Any]:
    """Two volumes in the application's scene, and an overlay."""
    import slicer

    from LightMedSegLib.mrml.doubt.overlay import DoubtOverlay

    names = ("Doubt", "Other")
    nodes = [slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), dtype=np.uint8), name=name) for name in names]
    overlay = DoubtOverlay()
    yield overlay, *nodes, slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    overlay.hide()


def test_the_overlay_gives_back_the_foreground_that_was_there(views: Any) -> None:
    from LightMedSegLib.mrml.doubt.overlay import OPACITY

    overlay, doubt, other, composites = views
    assert len(composites) == 3
    composites[0].SetForegroundVolumeID(other.GetID())
    composites[0].SetForegroundOpacity(0.3)
    overlay.show(doubt)
    assert {one.GetForegroundVolumeID() for one in composites} == {doubt.GetID()}
    assert {one.GetForegroundOpacity() for one in composites} == {OPACITY}
    # What the user chooses meanwhile stays.
    composites[1].SetForegroundVolumeID(other.GetID())
    composites[1].SetForegroundOpacity(0.9)
    overlay.hide()
    assert [one.GetForegroundVolumeID() for one in composites] == [other.GetID(), other.GetID(), None]
    assert [one.GetForegroundOpacity() for one in composites] == [0.3, 0.9, 0.0]


@pytest.mark.parametrize("saved", [False, True])
def test_the_foreground_also_comes_back_in_a_scene_that_was_saved_and_loaded(
    views: Any, saved: bool, tmp_path: Path
) -> None:
    import slicer

    from LightMedSegLib.mrml.doubt.overlay import DoubtOverlay

    overlay, doubt, other, composites = views
    composites[0].SetForegroundVolumeID(other.GetID())
    composites[0].SetForegroundOpacity(0.3)
    overlay.show(doubt)
    doubt.SetSaveWithScene(saved)
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    overlay.hide()
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(path)
    later = DoubtOverlay()
    if saved:
        later.show(slicer.util.getNode("Doubt"))
    later.hide()
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    shown = [one.GetForegroundVolumeID() for one in composites]
    assert sorted(shown, key=str) == sorted([slicer.util.getNode("Other").GetID(), None, None], key=str)
    assert sorted(one.GetForegroundOpacity() for one in composites) == [0.0, 0.0, 0.3]


def test_a_doubt_volume_that_is_removed_leaves_no_foreground(views: Any) -> None:
    import slicer

    overlay, doubt, other, composites = views
    composites[2].SetForegroundVolumeID(other.GetID())
    overlay.show(doubt)
    slicer.mrmlScene.RemoveNode(doubt)
    overlay.hide()
    assert [one.GetForegroundVolumeID() for one in composites] == [None, None, other.GetID()]
