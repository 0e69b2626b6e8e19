"""Segments come back onto the voxels of a volume, wherever and however they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_card
from mrml_nodes import (
    add_painted_segment,
    add_transform,
    add_volume,
    add_warp,
    labelmap_image,
    put_under,
    slicer,
)
from vtk.util.numpy_support import numpy_to_vtk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml.segmentations.reading import match_labels, read_labelmap, read_masks
from LightMedSegLib.mrml.segmentations.writing import write_result

TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])


@pytest.fixture
def card() -> ModelCard:
    return ModelCard.from_json(make_card(labels=3))


def read_onto(node: Any, image: sitk.Image) -> np.ndarray:
    return read_labelmap(node, add_volume(node.GetScene(), image, "Grid")).labels


def test_what_was_written_is_read_back_with_names(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    node = write_result(scan, labels, card)
    reading = read_labelmap(node, scan)
    assert np.array_equal(reading.labels, labels)
    assert reading.labels.dtype == np.uint8
    assert reading.names == {1: "Structure 1", 2: "Structure 2", 3: "Structure 3"}
    assert reading.overlapping_voxels == 0


def test_chosen_segments_get_the_values_that_were_asked_for(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    reading = read_labelmap(write_result(scan, labels, card), scan, {"Structure_2": 7})
    assert np.array_equal(reading.labels, np.where(labels == 2, 7, 0))
    assert reading.names == {7: "Structure 2"}


def test_overlapping_segments_in_layers_of_their_own_keep_all_their_voxels_as_masks(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    painted = np.zeros_like(labels, dtype=bool)
    painted[2:8, 5:15, 6:18] = True
    add_painted_segment(node, scan, painted, "Lesion")
    masks = read_masks(node, scan)
    assert list(masks) == ["Structure_1", "Structure_2", "Structure_3", "Lesion"]
    assert np.array_equal(masks["Structure_1"], labels == 1)
    assert np.array_equal(masks["Lesion"], painted)
    reading = read_labelmap(node, scan)
    assert np.array_equal(reading.labels, np.where(painted, 4, labels))
    assert reading.overlapping_voxels == np.count_nonzero(painted & (labels != 0)) > 0


def test_a_cropped_labelmap_is_put_in_its_place(scan: Any, labels: np.ndarray, card: ModelCard, volume: Any) -> None:
    node = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Cropped")
    cropped = volume[4:20, 3:16, 2:15]
    add_painted_segment(node, add_volume(scan.GetScene(), cropped, "Part"), labels[2:15, 3:16, 4:20] == 2, "Two")
    assert np.array_equal(read_labelmap(node, scan).labels, labels == 2)


def test_a_grid_that_reaches_beyond_the_labelmap_is_filled_with_background(
    scan: Any, labels: np.ndarray, card: ModelCard, volume: sitk.Image
) -> None:
    node = write_result(scan, labels, card)
    larger = sitk.ConstantPad(volume, (3, 1, 2), (0, 4, 5))
    assert np.array_equal(read_onto(node, larger), np.pad(labels, ((2, 5), (1, 4), (3, 0))))
    beside = sitk.Image(volume)
    beside.SetOrigin(volume.TransformIndexToPhysicalPoint((40, 0, 0)))
    assert not read_onto(node, beside).any()


def test_another_grid_gets_the_nearest_labels(
    scan: Any, labels: np.ndarray, card: ModelCard, volume: sitk.Image, labelmap: sitk.Image
) -> None:
    node = write_result(scan, labels, card)
    coarse = sitk.Image(14, 15, 9, sitk.sitkInt16)
    coarse.SetSpacing((1.7, 1.3, 2.6))
    coarse.SetOrigin(volume.TransformContinuousIndexToPhysicalPoint((0.7, 1.3, 0.4)))
    coarse.SetDirection((TURN @ np.reshape(volume.GetDirection(), (3, 3))).ravel().tolist())
    wanted = sitk.GetArrayFromImage(sitk.Resample(labelmap, coarse, sitk.Transform(), sitk.sitkNearestNeighbor))
    found = read_onto(node, coarse)
    assert np.unique(wanted).tolist() == [0, 1, 2]
    assert np.count_nonzero(found != wanted) <= 2, "voxels on the very edge may fall either way"


def test_a_flipped_grid_gets_flipped_labels(scan: Any, labels: np.ndarray, card: ModelCard, volume: Any) -> None:
    node = write_result(scan, labels, card)
    flipped = sitk.Flip(volume, (True, False, True), False)
    assert np.array_equal(read_onto(node, flipped), labels[::-1, :, ::-1])


def test_transforms_of_both_nodes_are_honoured(scan: Any, labels: np.ndarray, card: ModelCard, volume: Any) -> None:
    scene = scan.GetScene()
    put_under(scan, add_transform(scene, TURN))
    node = write_result(scan, labels, card)
    assert np.array_equal(read_labelmap(node, scan).labels, labels)
    hardened = add_volume(scene, volume, "Hardened")
    put_under(hardened, add_transform(scene, TURN))
    hardened.HardenTransform()
    assert hardened.GetParentTransformNode() is None
    assert np.array_equal(read_labelmap(node, hardened).labels, labels)
    elsewhere = add_volume(scene, volume, "Untransformed")
    assert not np.array_equal(read_labelmap(node, elsewhere).labels, labels)


def test_a_common_warp_does_not_matter_but_one_between_the_nodes_is_refused(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    warp = add_warp(scan.GetScene())
    put_under(node, warp)
    with pytest.raises(InputImageError, match="'Scan' and 'Scan Test model' are related by a non-linear transform"):
        read_labelmap(node, scan)
    put_under(scan, warp)
    assert np.array_equal(read_labelmap(node, scan).labels, labels)


def test_segments_that_exist_as_surfaces_only_are_read(scan: Any, card: ModelCard) -> None:
    ball = np.linalg.norm(np.indices((16, 20, 24)) - np.array([8, 10, 12]).reshape(3, 1, 1, 1), axis=0) < 6
    node = write_result(scan, ball.astype(np.uint8), card)
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.GetSegmentation().RemoveRepresentation("Binary labelmap")
    assert labelmap_image(node) is None
    found = read_masks(node, scan, ["Structure_1"])["Structure_1"]
    assert 2 * np.count_nonzero(found & ball) / (np.count_nonzero(found) + np.count_nonzero(ball)) > 0.9


def test_an_emptied_segment_has_no_voxels(scan: Any, card: ModelCard) -> None:
    node = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
    assert read_masks(node, scan) == {}
    node.GetSegmentation().AddEmptySegment("new", "New")
    assert not read_masks(node, scan)["new"].any()


def test_an_unknown_segment_is_refused_with_those_that_exist(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    node = write_result(scan, labels, card)
    with pytest.raises(InputImageError, match=r"has no segment 'liver'; choose one of .*Structure_1"):
        read_masks(node, scan, ["liver"])
    with pytest.raises(InputImageError, match="too many segments"):
        read_labelmap(node, scan, {"Structure_1": 256})


def test_segments_are_matched_by_identifier_then_name_then_codes(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    assert match_labels(node, card.labels) == {"Structure_1": 1, "Structure_2": 2, "Structure_3": 3}
    segmentation = node.GetSegmentation()
    codes = segmentation.GetSegment("Structure_3").GetTerminology()
    segmentation.RemoveSegment("Structure_2")
    segmentation.RemoveSegment("Structure_3")
    add_painted_segment(node, scan, labels == 2, " structure 2 ")
    coded = add_painted_segment(node, scan, labels == 3, "corrected")
    segmentation.GetSegment(coded).SetTerminology(codes)
    add_painted_segment(node, scan, labels == 1, "Something else")
    assert match_labels(node, card.labels) == {"Structure_1": 1, " structure 2 ": 2, "corrected": 3}


def test_slicer_reads_the_file_that_the_library_writes_as_the_same_segments(
    scan: Any, labelmap: sitk.Image, card: ModelCard, tmp_path: Path
) -> None:
    from LightMedSegLib.io.segmentation_files import write_segmentation

    node = write_result(scan, sitk.GetArrayFromImage(labelmap), card)
    write_segmentation(tmp_path / "library.seg.nrrd", labelmap, card.labels)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(tmp_path / "library.seg.nrrd"))
    loaded = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Loaded")
    assert storage.ReadData(loaded)
    assert list(loaded.GetSegmentation().GetSegmentIDs()) == list(node.GetSegmentation().GetSegmentIDs())
    assert np.array_equal(read_labelmap(loaded, scan).labels, sitk.GetArrayViewFromImage(labelmap))
    assert loaded.GetSegmentation().GetNthSegment(0).GetTerminology() == (
        node.GetSegmentation().GetNthSegment(0).GetTerminology()
    )


def test_segments_are_matched_by_their_names_before_their_identifiers(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    """Renaming is how a person corrects two labels that are swapped; 3D Slicer keeps the identifiers."""
    node = write_result(scan, labels, card)
    segmentation = node.GetSegmentation()
    segmentation.GetSegment("Structure_1").SetName("Structure 2")
    segmentation.GetSegment("Structure_2").SetName("Structure 1")
    assert match_labels(node, card.labels) == {"Structure_1": 2, "Structure_2": 1, "Structure_3": 3}


def test_a_layer_with_values_that_are_no_labels_is_refused(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    node = write_result(scan, labels, card)
    image = node.GetSegmentation().GetSegment("Structure_1").GetRepresentation("Binary labelmap")
    for spoiled, reason in ((labels * 0.5, "not whole numbers"), (labels.astype(np.int16) - 5, "not 0 to 65535")):
        image.GetPointData().SetScalars(numpy_to_vtk(spoiled.ravel(), deep=True))
        with pytest.raises(InputImageError, match=reason):
            read_labelmap(node, scan)
    image.GetPointData().SetScalars(numpy_to_vtk(labels.astype(np.float32).ravel(), deep=True))
    assert np.array_equal(read_labelmap(node, scan).labels, labels)
