"""An unedited result may be replaced by the next one; whatever the user has edited stays."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_nodes import add_painted_segment, add_volume, labelmap_image, labels_of, save_and_load

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml import volumes
from LightMedSegLib.mrml.segmentations import result_record
from LightMedSegLib.mrml.segmentations.result_record import ResultRecord, content_hash, is_unedited
from LightMedSegLib.mrml.segmentations.segments_snapshot import snapshot_steps
from LightMedSegLib.mrml.segmentations.writing import result_node, write_result

CLOSED_SURFACE = "Closed surface"


def test_the_next_result_replaces_an_unedited_one_of_the_same_model(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    old_image = labelmap_image(node)
    assert result_node(scan, card) == (node, "")
    assert write_result(scan, labels * 2 % 3, card, node) is node
    assert np.array_equal(labels_of(node), labels * 2 % 3)
    assert node.GetSegmentation().GetNumberOfSegments() == 3
    assert old_image.IsEmpty()
    assert is_unedited(node)


def test_another_model_volume_or_region_gets_a_node_of_its_own(
    scan: Any, labels: np.ndarray, card: ModelCard, volume: sitk.Image
) -> None:
    write_result(scan, labels, card)
    newer = ModelCard.from_json({**card.to_json(), "version": "1.0.1"})
    other = add_volume(scan.GetScene(), volume, "Other")
    assert result_node(scan, newer) == (None, "")
    assert result_node(other, card) == (None, "")
    assert result_node(scan, card, region=((0, 5), (0, 5), (0, 5))) == (None, "")


def paint_a_voxel(node: Any, scan: Any) -> None:
    labels_of(node)[0, 0, 0] = 1
    labelmap_image(node).Modified()


def rename(node: Any, scan: Any) -> None:
    node.GetSegmentation().GetNthSegment(1).SetName("Mine")


def recolour(node: Any, scan: Any) -> None:
    node.GetSegmentation().GetNthSegment(1).SetColor(0.5, 0.25, 0.125)


def remove_a_segment(node: Any, scan: Any) -> None:
    node.GetSegmentation().RemoveSegment("Structure_3")


def add_a_segment(node: Any, scan: Any) -> None:
    mask = np.ones(scan.GetImageData().GetDimensions()[::-1])
    add_painted_segment(node, scan, mask, "Overlapping")


@pytest.mark.parametrize("edit", [paint_a_voxel, rename, recolour, remove_a_segment, add_a_segment])
def test_a_result_with_any_edit_is_kept_and_the_next_result_goes_elsewhere(
    edit: Any, scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    assert is_unedited(node)
    edit(node, scan)
    assert not is_unedited(node)
    assert result_node(scan, card) == (None, "")
    found, note = result_node(scan, card, node)
    assert found is None
    assert note == "'Scan Test model' holds edits and was kept; the result is in a new segmentation."
    assert result_node(scan, card, node, overwrite=True) == (node, "")


def test_within_the_session_edits_are_noticed_without_reading_the_voxels(
    scan: Any, labels: np.ndarray, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = write_result(scan, labels, card)
    monkeypatch.delattr(result_record, "content_hash")
    assert is_unedited(node)


def test_showing_surfaces_or_hiding_segments_is_no_edit(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    node = write_result(scan, labels, card)
    assert node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetSegmentVisibility("Structure_1", False)
    assert is_unedited(node)


def test_edits_are_recognised_in_a_scene_that_was_saved_and_loaded(
    scan: Any, labels: np.ndarray, card: ModelCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = write_result(scan, labels, card)
    loaded = save_and_load(node, tmp_path / "result.seg.nrrd")
    for name in node.GetAttributeNames():
        loaded.SetAttribute(name, node.GetAttribute(name))
    monkeypatch.setattr(result_record, "_SESSION", "another run of the program")
    hashed: list[Any] = []
    monkeypatch.setattr(result_record, "content_hash", lambda labels: hashed.append(labels) or content_hash(labels))
    assert is_unedited(loaded) and is_unedited(loaded)
    assert len(hashed) == 1, "an answer holds until the voxels change"
    paint_a_voxel(loaded, scan)
    assert not is_unedited(loaded) and not is_unedited(loaded)
    assert len(hashed) == 2


def test_the_rim_of_a_cropped_labelmap_does_not_count_as_an_edit_but_the_shape_of_the_content_does(
    labels: np.ndarray,
) -> None:
    assert content_hash(labels) == content_hash(np.pad(labels, ((3, 0), (0, 2), (1, 1))))
    flat, tall = np.ones((1, 2, 8), np.uint8), np.ones((8, 2, 1), np.uint8)
    assert content_hash(flat) != content_hash(tall)
    assert content_hash(np.zeros((2, 2, 2), np.uint8)) == content_hash(np.zeros((0, 0, 0), np.uint8))


def test_a_requested_node_is_taken_when_it_is_empty_and_kept_when_it_is_the_users_own(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    own = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Own")
    assert result_node(scan, card, own) == (own, "")
    add_painted_segment(own, scan, labels == 1, "Mine")
    assert result_node(scan, card, own)[0] is None
    assert ResultRecord.read(own) is None
    overwritten = write_result(scan, labels, card, own)
    assert overwritten is own
    assert list(own.GetSegmentation().GetSegmentIDs()) == [label.segment_id for label in card.labels]


def test_a_large_segmentation_and_its_volume_are_copied_in_many_small_steps(
    scan: Any, labels: np.ndarray, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = write_result(scan, labels, card)
    monkeypatch.setattr(volumes, "_SLAB_BYTES", 2 * labels[0].nbytes)
    values = {segment_id: number for number, segment_id in enumerate(node.GetSegmentation().GetSegmentIDs(), start=1)}
    *steps, snapshot = snapshot_steps(node, scan, values)
    assert len(steps) >= len(labels) // 2 and snapshot is not None
    assert np.array_equal(snapshot.labels(), labels)
    assert len(list(volumes.copy_steps(scan))) > len(labels) // 4
    begun = snapshot_steps(node, scan, values)
    next(begun)
    paint_a_voxel(node, scan)
    with pytest.raises(InputImageError, match="changed while it was read"):
        list(begun)
