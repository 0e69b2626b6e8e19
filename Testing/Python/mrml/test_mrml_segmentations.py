"""Results in the scene: names, colours, codes, geometry, and what becomes of them when the next result comes."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from model_factory import make_card
from mrml_nodes import add_transform, labelmap_image, labels_of, matrix_elements, put_under, save_and_load, slicer

from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml.hierarchy import place_beside
from LightMedSegLib.mrml.segmentations import shared_labelmap
from LightMedSegLib.mrml.segmentations.writing import write_result

CLOSED_SURFACE = "Closed surface"


def test_every_label_is_a_segment_with_name_colour_and_codes(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    node = write_result(scan, labels, card)
    segmentation = node.GetSegmentation()
    assert node.GetScene() is scan.GetScene()
    assert list(segmentation.GetSegmentIDs()) == [label.segment_id for label in card.labels]
    for index, label in enumerate(card.labels):
        segment = segmentation.GetNthSegment(index)
        assert segment.GetName() == label.name
        assert segment.GetLabelValue() == label.value
        assert [round(part * 255) for part in segment.GetColor()] == list(label.color)
        entry = slicer.vtkSlicerTerminologyEntry()
        logic = slicer.vtkSlicerTerminologiesModuleLogic
        assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
        assert entry.GetTypeObject().GetCodeValue() == label.terminology.type.value
        assert entry.GetTypeObject().GetCodeMeaning() == label.terminology.type.meaning
        assert entry.GetCategoryObject().GetCodeValue() == "123037004"
    assert node.GetDisplayNode() is not None
    assert node.GetName() == "Scan Test model"


def test_all_segments_share_one_labelmap_with_the_labels_as_they_were(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert labelmap_image(node, 0) is labelmap_image(node, 1) is labelmap_image(node, 2)
    assert np.array_equal(labels_of(node), labels)


def test_the_labelmap_has_the_geometry_of_the_volume_to_the_last_bit(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    image = labelmap_image(node)
    mine, theirs = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(mine)
    scan.GetIJKToRASMatrix(theirs)
    assert matrix_elements(mine) == matrix_elements(theirs)
    assert image.GetSpacing() == scan.GetSpacing()
    assert image.GetOrigin() == scan.GetOrigin()
    assert image.GetExtent() == scan.GetImageData().GetExtent()


def test_an_extent_that_does_not_begin_at_zero_is_kept(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    scan.GetImageData().SetExtent(2, 25, -1, 18, 5, 20)
    image = labelmap_image(write_result(scan, labels, card))
    assert image.GetExtent() == (2, 25, -1, 18, 5, 20)


def test_labels_of_another_size_are_a_defect_that_is_noticed(scan: Any, card: ModelCard) -> None:
    with pytest.raises(ValueError, match="8 labels for 7680 voxels"):
        write_result(scan, np.zeros((2, 2, 2), np.uint8), card)
    assert scan.GetScene().GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_dicom_export_finds_the_volume_and_the_scene_tells_where_the_result_comes_from(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card, region=((1, 5), (2, 6), (3, 7)))
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is scan
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    assert node.GetSegmentation().GetConversionParameter(name)
    assert node.GetAttribute("LightMedSeg.Model") == "test-model"
    assert node.GetAttribute("LightMedSeg.Version") == "1.0.0"
    assert node.GetAttribute("LightMedSeg.WeightsSHA256") == "ab" * 32
    assert node.GetAttribute("LightMedSeg.Created").startswith("20")
    assert node.GetAttribute("LightMedSeg.Region") == "1 5 2 6 3 7"
    assert node.GetAttribute("LightMedSeg.Preview") is None
    assert "Scan" not in "".join(node.GetAttribute(name) or "" for name in node.GetAttributeNames())


def test_the_result_is_under_the_transform_of_the_volume(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    transform = add_transform(scan.GetScene(), np.diag((1.0, 1.0, 1.5)))
    put_under(scan, transform)
    node = write_result(scan, labels, card)
    assert node.GetParentTransformNode() is transform
    put_under(scan, add_transform(scan.GetScene(), np.eye(3)))
    write_result(scan, labels, card, node)
    assert node.GetParentTransformNode() is scan.GetParentTransformNode()


def test_a_seg_nrrd_file_gives_the_same_segments_again(
    scan: Any, labels: np.ndarray, card: ModelCard, tmp_path: Path
) -> None:
    node = write_result(scan, labels, card)
    loaded = save_and_load(node, tmp_path / "result.seg.nrrd")
    assert loaded.GetSegmentation().GetNumberOfLayers() == 1
    assert np.array_equal(labels_of(loaded), labels)
    for index in range(3):
        before, after = (n.GetSegmentation().GetNthSegment(index) for n in (node, loaded))
        assert after.GetName() == before.GetName()
        assert after.GetLabelValue() == before.GetLabelValue()
        assert after.GetTerminology() == before.GetTerminology()
        assert np.allclose(after.GetColor(), before.GetColor(), atol=1e-4)
    mine, theirs = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    labelmap_image(node).GetImageToWorldMatrix(mine)
    labelmap_image(loaded).GetImageToWorldMatrix(theirs)
    assert np.allclose(matrix_elements(mine), matrix_elements(theirs), atol=1e-9)


def test_the_library_reads_the_file_that_slicer_writes(
    scan: Any, labelmap: sitk.Image, card: ModelCard, tmp_path: Path
) -> None:
    from LightMedSegLib.io.labelmaps.reading import read_labelmap

    save_and_load(write_result(scan, sitk.GetArrayFromImage(labelmap), card), tmp_path / "result.seg.nrrd")
    reading = read_labelmap(tmp_path / "result.seg.nrrd")
    found, names = reading.image, reading.names
    assert np.array_equal(sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(labelmap))
    assert np.allclose(found.GetOrigin(), labelmap.GetOrigin())
    assert np.allclose(found.GetDirection(), labelmap.GetDirection())
    assert names == {label.value: label.name for label in card.labels}


def test_replacing_keeps_the_surface_if_there_was_one_and_what_is_shown_how(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    assert not node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)
    node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetSegmentVisibility("Structure_2", False)
    node.GetDisplayNode().SetSegmentOpacity3D("Structure_1", 0.25)
    display = node.GetDisplayNode()
    moved = np.roll(labels, 1, axis=2)
    write_result(scan, moved, card, node)
    assert node.GetDisplayNode() is display
    assert node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)
    surface = node.GetSegmentation().GetNthSegment(0).GetRepresentation(CLOSED_SURFACE)
    assert surface.GetNumberOfPoints() > 0
    assert not display.GetSegmentVisibility("Structure_2")
    assert display.GetSegmentVisibility("Structure_1")
    assert display.GetSegmentOpacity3D("Structure_1") == 0.25


def test_a_result_is_emptied_before_it_is_replaced_because_erasing_segment_by_segment_freezes(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    image = labelmap_image(node)
    write_result(scan, labels, card, node)
    assert image.IsEmpty() and not labelmap_image(node).IsEmpty()


@pytest.mark.parametrize("close", ["remove", "clear"])
def test_a_node_that_the_user_deletes_is_emptied_in_its_last_moment_and_not_before(
    close: str, scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    node = write_result(scan, labels, card)
    image, scene = labelmap_image(node), scan.GetScene()
    if close == "remove":
        scene.RemoveNode(node)
    else:
        scene.Clear(True)
    assert np.array_equal(labels_of(node), labels), "as long as somebody holds the node its voxels stay"
    del node
    assert image.IsEmpty()


def test_a_labelmap_that_lives_on_elsewhere_is_not_emptied(scan: Any, labels: np.ndarray, card: ModelCard) -> None:
    node = write_result(scan, labels, card)
    shallow = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Shallow")
    shallow.CopyContent(node, False)
    borrower = slicer.vtkSegment()
    borrower.AddRepresentation("Binary labelmap", labelmap_image(node))
    scan.GetScene().RemoveNode(node)
    del node
    assert np.array_equal(labels_of(shallow), labels)
    # Removing the segments erases their voxels, but the labelmap is not taken from under the borrower.
    scan.GetScene().RemoveNode(shallow)
    del shallow
    assert not borrower.GetRepresentation("Binary labelmap").IsEmpty()


class FakeHierarchy:
    """The part of vtkMRMLSubjectHierarchyNode that is asked."""

    def __init__(self, items: dict[Any, int], parents: dict[int, int]):
        self.items, self.parents = items, parents

    def GetInvalidItemID(self) -> int:
        return 0

    def GetItemByDataNode(self, node: Any) -> int:
        return self.items.get(node, 0)

    def GetItemParent(self, item: int) -> int:
        return self.parents.get(item, 0)

    def SetItemParent(self, item: int, parent: int) -> None:
        self.parents[item] = parent


def test_the_result_joins_the_study_of_the_volume() -> None:
    hierarchy = FakeHierarchy({"scan": 5, "result": 6}, {5: 3, 6: 1})
    assert place_beside("result", "scan", hierarchy)
    assert hierarchy.parents == {5: 3, 6: 3}


def test_a_scene_without_subject_hierarchy_items_is_left_alone(scan: Any) -> None:
    node = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    assert not place_beside(node, scan)
    assert not place_beside("result", "scan", FakeHierarchy({"scan": 5}, {5: 3}))
    assert not place_beside("result", "scan", FakeHierarchy({"result": 6}, {6: 3}))
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scan.GetScene())
    assert not place_beside(node, scan)


def test_thirty_labels_are_one_image(scan: Any) -> None:
    card = ModelCard.from_json(make_card(labels=30))
    values = np.arange(24 * 20 * 16).reshape(16, 20, 24) % 31
    node = write_result(scan, values.astype(np.uint8), card)
    assert node.GetSegmentation().GetNumberOfSegments() == 30
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert hashlib.sha256(labels_of(node).tobytes()).digest() == hashlib.sha256(values.astype(np.uint8)).digest()


def test_a_guard_that_the_garbage_collector_has_emptied_does_nothing(
    scan: Any, labels: np.ndarray, card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python empties the objects of a cycle before VTK, which is part of it, calls them for the last time."""
    made = []
    real = shared_labelmap._Emptying

    def remembered(*arguments: Any) -> Any:
        made.append(real(*arguments))
        return made[-1]

    monkeypatch.setattr(shared_labelmap, "_Emptying", remembered)
    node = write_result(scan, labels, card)
    assert made
    vars(made[-1]).clear()
    made[-1]()
    assert not labelmap_image(node).IsEmpty()
