"""From real scans to named segments and back from disk, in the real scene with the shipped model.

The scans are an anonymous head MR and a CT, both DICOM, that are not part of the repository: the environment variable
LIGHTMEDSEG_DATA names the folder that holds ``e2e-scans``. Without it the same tests run on the shipped sample alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import dice, make_image, reordered, rotation
from mrml_nodes import (
    add_transform,
    add_volume,
    labelmap_image,
    labels_of,
    matrix_elements,
    new_scene,
    put_under,
    save_and_load,
    slicer,
    vtk,
)
from paths import REPOSITORY
from patience import Patience

from LightMedSegLib import segment
from LightMedSegLib.core.geometry import Box, Grid
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.segmentation import Segmentation
from LightMedSegLib.io.dicom_series import list_series
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.package import load_model
from LightMedSegLib.mrml.jobs.job_state import JobState
from LightMedSegLib.mrml.jobs.segment_job import segmentation_job
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.regions import roi_index_box
from LightMedSegLib.mrml.volumes import voxels

RESOURCES = REPOSITORY / "Resources"
HIPPOCAMPUS = RESOURCES / "Models" / "hippocampus-t1-mr"
CROP = RESOURCES / "SampleData" / "mni152-t1-left-hippocampus.nii.gz"
HEAD = RESOURCES / "SampleData" / "colin27-t1-head.nii.gz"
ORDERS = [(p, f) for p in permutations(range(3)) for f in product((False, True), repeat=3)]


@dataclass(frozen=True)
class Scan:
    """centre and size: a region of interest, RAS, mm. hippocampus: whether the region holds a left one."""

    name: str
    path: Path
    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    hippocampus: bool


def available_scans() -> list[Scan]:
    sample = Scan("sample", HEAD, (-25.5, -21.5, -12.5), (38.0, 54.0, 40.0), True)
    if not os.environ.get("LIGHTMEDSEG_DATA"):
        return [sample]
    data = Path(os.environ["LIGHTMEDSEG_DATA"]) / "e2e-scans"
    leg = data / "ct-mr-pet-dicom-rtstruct-IBSI-STS_007" / "CT" / "image"
    return [
        Scan("head MR", data / "mr-head-dicom-SAG-anon", (-23.0, -33.0, 20.0), (34.0, 46.0, 30.0), True),
        Scan("CT", leg, (60.0, -90.0, -660.0), (60.0, 60.0, 60.0), False),
        sample,
    ]


@dataclass(frozen=True)
class Case:
    """A scan in the scene under a transform, and what a run on a region of it has left."""

    scan: Scan
    volume: Any
    transform: Any
    box: Box
    node: Any


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    assert worker.close()


@pytest.fixture(scope="module", params=available_scans(), ids=lambda scan: scan.name)
def case(request: pytest.FixtureRequest, worker: Worker) -> Case:
    scan = request.param
    volume = load_volume(new_scene(), scan.path)
    scene = volume.GetScene()
    tilt = np.eye(4)
    # Below 45 degrees, so that the model sees the voxels in the order in which it would without the transform.
    tilt[:3, :3], tilt[:3, 3] = rotation((7, -5, 9)), (12.5, -40.25, 3.0)
    transform = add_transform(scene, tilt)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    roi.SetCenter(*scan.centre)
    roi.SetSize(*scan.size)
    put_under(volume, transform)
    put_under(roi, transform)
    node = run(worker, volume, roi_node=roi)
    return Case(scan, volume, transform, roi_index_box(roi, volume), node)


def load_volume(scene: Any, path: Path) -> Any:
    """A volume node read by Slicer's own reader; for a DICOM folder with its files in the order of its slices."""
    files = list_series(path)[0].files if path.is_dir() else (str(path),)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(files[0])
    for name in files:
        storage.AddFileName(name)
    storage.SetSingleFile(not path.is_dir())
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    assert storage.ReadData(node)
    node.kept_scene = scene
    return node


def run(worker: Worker, volume: Any, **how: Any) -> Any:
    """The segmentation node that the shipped model makes."""
    job = segmentation_job(volume, HIPPOCAMPUS, options=SegmentOptions(device="cpu"), **how)
    worker.submit(job)
    worker.wait(job, on_idle=Patience(300).check)
    assert job.state is JobState.DONE, job.message
    return job.outcome.node


def geometry(image_or_volume: Any) -> tuple[list[float], tuple[int, ...]]:
    """Index to RAS, and the extent."""
    matrix = vtk.vtkMatrix4x4()
    if image_or_volume.IsA("vtkMRMLVolumeNode"):
        image_or_volume.GetIJKToRASMatrix(matrix)
        return matrix_elements(matrix), image_or_volume.GetImageData().GetExtent()
    image_or_volume.GetImageToWorldMatrix(matrix)
    return matrix_elements(matrix), image_or_volume.GetExtent()


def test_slicers_reader_and_the_librarys_agree_on_the_scan(case: Case) -> None:
    image = read_volume(case.scan.path)
    assert np.array_equal(voxels(case.volume), sitk.GetArrayViewFromImage(image))
    flip = np.diag((-1.0, -1.0, 1.0, 1.0))
    mine = flip @ np.reshape(geometry(case.volume)[0], (4, 4))
    for index in product(*((0, size) for size in image.GetSize())):
        assert np.allclose((mine @ (*index, 1))[:3], image.TransformContinuousIndexToPhysicalPoint(index), atol=1e-3)


def test_every_structure_of_the_model_is_a_segment_with_name_colour_and_codes(case: Case) -> None:
    segmentation = case.node.GetSegmentation()
    labels = load_model(HIPPOCAMPUS).card.labels
    assert list(segmentation.GetSegmentIDs()) == [label.segment_id for label in labels]
    logic = slicer.vtkSlicerTerminologiesModuleLogic
    for index, label in enumerate(labels):
        segment = segmentation.GetNthSegment(index)
        assert segment.GetName() == label.name
        assert segment.GetLabelValue() == label.value
        assert [round(part * 255) for part in segment.GetColor()] == list(label.color)
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(segment.GetTerminology(), entry)
        found = [entry.GetCategoryObject(), entry.GetTypeObject(), entry.GetTypeModifierObject()]
        wanted = [label.terminology.category, label.terminology.type, label.terminology.modifier]
        assert [(code.GetCodingSchemeDesignator(), code.GetCodeValue(), code.GetCodeMeaning()) for code in found] == [
            (code.scheme, code.value, code.meaning) for code in wanted
        ]


def test_the_labelmap_lies_on_the_voxels_of_the_volume_to_the_last_bit_and_under_its_transform(case: Case) -> None:
    assert geometry(labelmap_image(case.node)) == geometry(case.volume)
    assert labelmap_image(case.node).GetSpacing() == case.volume.GetSpacing()
    assert labelmap_image(case.node).GetOrigin() == case.volume.GetOrigin()
    assert case.node.GetParentTransformNode() is case.volume.GetParentTransformNode() is case.transform
    assert case.node.GetNodeReference(case.node.GetReferenceImageGeometryReferenceRole()) is case.volume


def test_the_labels_are_those_that_the_library_gives_for_the_file_and_lie_inside_the_region(case: Case) -> None:
    wanted = segment(read_volume(case.scan.path), HIPPOCAMPUS, "cpu", roi=case.box).labelmap
    labels = labels_of(case.node)
    assert labels.any()
    assert dice(labels, sitk.GetArrayViewFromImage(wanted)) >= 0.999
    outside = labels.copy()
    outside[tuple(slice(*bounds) for bounds in reversed(case.box))] = 0
    assert not outside.any()


def test_a_hippocampus_is_found_where_it_is_with_its_parts_in_order(case: Case) -> None:
    if not case.scan.hippocampus:
        pytest.skip("there is no hippocampus in this scan")
    matrix = np.reshape(geometry(case.volume)[0], (4, 4))
    labels = labels_of(case.node)
    millilitres = abs(np.linalg.det(matrix[:3, :3])) / 1000
    centres = []
    for value in (1, 2):
        indices = np.argwhere(labels == value)[:, ::-1]
        assert 0.7 < len(indices) * millilitres < 3.5, "an adult's half hippocampus is 1 to 2 ml"
        centres.append((matrix @ [*indices.mean(axis=0), 1])[:3])
    anterior, posterior = centres
    assert anterior[1] > posterior[1] + 10
    assert np.abs(np.mean(centres, axis=0) - case.scan.centre).max() < 8


def test_saved_as_seg_nrrd_and_loaded_again_it_is_equal(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "result.seg.nrrd"
    loaded = save_and_load(case.node, path)
    before, after = case.node.GetSegmentation(), loaded.GetSegmentation()
    assert list(after.GetSegmentIDs()) == list(before.GetSegmentIDs())
    assert after.GetNumberOfLayers() == 1
    assert np.array_equal(labels_of(loaded), labels_of(case.node))
    (mine, my_extent), (theirs, their_extent) = (geometry(labelmap_image(node)) for node in (case.node, loaded))
    assert np.allclose(mine, theirs, rtol=0, atol=1e-9) and my_extent == their_extent
    for index in range(before.GetNumberOfSegments()):
        old, new = before.GetNthSegment(index), after.GetNthSegment(index)
        for item in ("Name", "LabelValue", "Terminology"):
            assert getattr(new, f"Get{item}")() == getattr(old, f"Get{item}")()
        assert np.allclose(new.GetColor(), old.GetColor(), atol=1e-4)
    reading = read_labelmap(path)
    labelmap, names = reading.image, reading.names
    assert np.array_equal(sitk.GetArrayViewFromImage(labelmap), labels_of(case.node))
    assert list(names.values()) == [label.name for label in load_model(HIPPOCAMPUS).card.labels]


def test_a_whole_scan_full_of_labels_goes_through_scene_and_file(case: Case, worker: Worker, tmp_path: Path) -> None:
    card = load_model(HIPPOCAMPUS).card

    def bands(image: sitk.Image, *_: Any, **__: Any) -> Segmentation:
        """Stands in for a network that labels most of the scan."""
        low, middle, high = np.quantile(sitk.GetArrayViewFromImage(image), (0.5, 0.75, 0.95)).tolist()
        labelmap = sitk.Cast(image > low, sitk.sitkUInt8) * (1 + sitk.Cast(image > middle, sitk.sitkUInt8))
        return Segmentation(sitk.Mask(labelmap, image <= high), card, {}, "cpu")

    node = run(worker, case.volume, segment=bands)
    assert node is not case.node, "a whole scan is not a new version of the result for a region"
    assert geometry(labelmap_image(node)) == geometry(case.volume)
    values = voxels(case.volume)
    low, middle, high = np.quantile(values, (0.5, 0.75, 0.95))
    wanted = np.where(values > high, 0, (values > low).astype(np.uint8) + (values > middle))
    assert np.array_equal(labels_of(node), wanted)
    assert np.array_equal(labels_of(save_and_load(node, tmp_path / "whole.seg.nrrd")), wanted)


@pytest.fixture(scope="module")
def crop_labels() -> sitk.Image:
    return segment(sitk.ReadImage(str(CROP)), HIPPOCAMPUS, "cpu").labelmap


def test_all_48_axis_orders_of_the_sample_get_the_same_labels_from_the_shipped_model(
    worker: Worker, crop_labels: sitk.Image
) -> None:
    scene, base = new_scene(), sitk.ReadImage(str(CROP))
    for permutation, flips in ORDERS:
        volume = add_volume(scene, reordered(base, permutation, flips), "Reordered")
        node = run(worker, volume)
        assert geometry(labelmap_image(node)) == geometry(volume)
        wanted = sitk.GetArrayFromImage(reordered(crop_labels, permutation, flips))
        assert dice(labels_of(node), wanted) >= 0.999


@pytest.mark.parametrize("way", ["oblique", "transformed"])
def test_a_turned_head_gets_the_same_labels_from_the_shipped_model(
    way: str, worker: Worker, crop_labels: sitk.Image
) -> None:
    scene, image = new_scene(), sitk.ReadImage(str(CROP))
    turn = rotation((18, -12, 25))
    volume = add_volume(scene, image if way == "transformed" else turned(image, turn))
    if way == "transformed":
        put_under(volume, add_transform(scene, turn))
    node = run(worker, volume)
    assert geometry(labelmap_image(node)) == geometry(volume)
    assert dice(labels_of(node), sitk.GetArrayFromImage(crop_labels)) >= 0.999


def turned(image: sitk.Image, turn: np.ndarray) -> sitk.Image:
    direction = turn @ np.reshape(image.GetDirection(), (3, 3))
    return make_image(sitk.GetArrayFromImage(image), image.GetSpacing(), image.GetOrigin(), direction)


def test_an_anisotropic_scan_gets_nearly_the_same_labels_from_the_shipped_model(
    worker: Worker, crop_labels: sitk.Image
) -> None:
    base = sitk.ReadImage(str(CROP))
    spacing, size = (0.8, 1.3, 1.6), (47, 41, 25)
    coarse = Grid(size, spacing, base.GetOrigin(), base.GetDirection()).image(np.zeros(size[::-1], np.uint8))
    volume = add_volume(new_scene(), sitk.Resample(base, coarse, sitk.Transform(), sitk.sitkLinear))
    labels = labels_of(run(worker, volume))
    wanted = sitk.Resample(crop_labels, coarse, sitk.Transform(), sitk.sitkNearestNeighbor)
    # Voxels of 1.6 mm blur a structure that is 10 mm thick.
    assert dice(labels, sitk.GetArrayFromImage(wanted)) > 0.85
