"""From volume node to segmentation node through the worker, for every way a volume may lie in the scene."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import (
    RandomNetwork,
    StubModel,
    dice,
    reordered,
    rotation,
    stub_model,
)
from mrml_job_stubs import base_image
from mrml_nodes import (
    add_transform,
    add_volume,
    add_warp,
    labelmap_image,
    labels_of,
    matrix_elements,
    new_scene,
    put_under,
)
from patience import Patience

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.segment_job import Outcome, segmentation_job
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.volumes import voxels

ORDERS = [(p, f) for p in permutations(range(3)) for f in product((False, True), repeat=3)]
CPU = SegmentOptions(device="cpu")


@pytest.fixture(scope="module")
def model() -> StubModel:
    """A network that sees directions, so that a volume shown to it the wrong way round gives other labels."""
    card = {"spacing_mm": [1.1, 1.3, 0.9], "orientation": "RAS", "patch": [16, 16, 16]}
    return stub_model(RandomNetwork(), **card)


def run(worker: Worker, volumes: Any, model: Any, **how: Any) -> Job:
    how.setdefault("options", CPU)
    job = segmentation_job(volumes, model, **how)
    worker.submit(job)
    worker.wait(job, on_idle=Patience(60).check)
    return job


def result(worker: Worker, volume: Any, model: Any, **how: Any) -> Any:
    """The segmentation node that a run makes."""
    job = run(worker, volume, model, **how)
    assert job.state is JobState.DONE, job.message
    return job.outcome.node


def assert_geometry_of(node: Any, volume: Any) -> None:
    import vtk

    mine, theirs = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    labelmap_image(node).GetImageToWorldMatrix(mine)
    volume.GetIJKToRASMatrix(theirs)
    assert matrix_elements(mine) == matrix_elements(theirs)
    assert labelmap_image(node).GetDimensions() == volume.GetImageData().GetDimensions()
    assert node.GetTransformNodeID() == volume.GetTransformNodeID()


def test_all_48_axis_orders_and_flips_give_the_same_labels(worker: Worker, model: StubModel) -> None:
    scene, base = new_scene(), base_image()
    expected = sitk.GetImageFromArray(labels_of(result(worker, add_volume(scene, base), model)))
    assert len(np.unique(sitk.GetArrayViewFromImage(expected))) == 3
    for permutation, flips in ORDERS:
        volume = add_volume(scene, reordered(base, permutation, flips), "Reordered")
        node = result(worker, volume, model)
        assert_geometry_of(node, volume)
        wanted = sitk.GetArrayFromImage(reordered(expected, permutation, flips))
        assert dice(labels_of(node), wanted) >= 0.999


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.6, 0.7, 3.0)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (28, -17, 39)])
def test_the_node_path_gives_what_the_library_gives_for_oblique_and_anisotropic_volumes(
    spacing: tuple[float, float, float], angles: Any, worker: Worker, model: StubModel
) -> None:
    from LightMedSegLib.inference.segmentation import segment

    image = base_image(spacing, angles)
    volume = add_volume(new_scene(), image)
    node = result(worker, volume, model)
    assert_geometry_of(node, volume)
    assert np.array_equal(labels_of(node), sitk.GetArrayFromImage(segment(image, model, "cpu").labelmap))


@pytest.mark.parametrize("scale", [(1, 1, 1), (1.4, 1.4, 1.4), (1, 0.8, 2)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (0, 0, 90), (100, 35, -20)])
def test_a_volume_under_a_transform_gets_the_labels_of_the_same_volume_with_the_transform_hardened(
    scale: tuple[float, float, float], angles: Any, worker: Worker, model: StubModel
) -> None:
    scene = new_scene()
    # Scaling along the volume's own axes: anything else would shear it.
    image = base_image(angles=(0, 0, 0))
    volume, hardened = add_volume(scene, image), add_volume(scene, image, "Hardened")
    outer = np.eye(4)
    outer[:3, 3] = (12, -40, 7)
    transform = add_transform(
        scene, np.diag(scale), add_transform(scene, rotation(angles), add_transform(scene, outer))
    )
    put_under(volume, transform)
    put_under(hardened, transform)
    hardened.HardenTransform()
    node, wanted = result(worker, volume, model), result(worker, hardened, model)
    assert_geometry_of(node, volume)
    assert node.GetParentTransformNode() is transform
    assert dice(labels_of(node), labels_of(wanted)) >= 0.999


def test_a_quarter_turn_by_a_transform_changes_what_the_network_sees(worker: Worker, model: StubModel) -> None:
    scene = new_scene()
    plain, turned = (add_volume(scene, base_image(angles=(0, 0, 0)), name) for name in ("Plain", "Turned"))
    put_under(turned, add_transform(scene, rotation((0, 0, 90))))
    assert not np.array_equal(labels_of(result(worker, plain, model)), labels_of(result(worker, turned, model)))


def test_a_region_limits_the_labels(worker: Worker, model: StubModel) -> None:
    scene = new_scene()
    image = base_image(angles=(0, 0, 0))
    volume = add_volume(scene, image)
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    roi.SetSize(8 * 0.9, 10 * 1.2, 6 * 1.6)
    x, y, z = image.TransformContinuousIndexToPhysicalPoint((5 + 3.5, 6 + 4.5, 7 + 2.5))
    roi.SetCenter(-x, -y, z)
    node = result(worker, volume, model, roi_node=roi)
    inside = np.zeros((20, 23, 26), dtype=bool)
    inside[7:13, 6:16, 5:13] = True
    assert labels_of(node)[inside].any()
    assert not labels_of(node)[~inside].any()
    assert node.GetAttribute("LightMedSeg.Region") == "5 13 6 16 7 13"


def test_the_outcome_tells_timings_device_and_numbers(worker: Worker, model: StubModel) -> None:
    volume = add_volume(new_scene(), base_image())
    outcomes: list[Outcome] = []
    job = run(worker, volume, model, on_outcome=outcomes.append)
    assert outcomes == [job.outcome]
    outcome = job.outcome
    assert not outcome.preview
    assert outcome.device == "cpu"
    assert outcome.timings["network"] > 0
    labels = labels_of(outcome.node)
    assert [row.voxels for row in outcome.statistics] == [np.count_nonzero(labels == value) for value in (1, 2)]
    assert outcome.statistics[0].mean == pytest.approx(voxels(volume)[labels == 1].mean(), rel=1e-5)


def test_bad_volumes_are_refused_before_anything_runs(model: StubModel) -> None:
    scene = new_scene()
    with pytest.raises(InputImageError, match="No volume is chosen"):
        segmentation_job(None, model)
    with pytest.raises(InputImageError, match="No volume is chosen"):
        segmentation_job([], model)
    volume = add_volume(scene, base_image())
    put_under(volume, add_warp(scene))
    with pytest.raises(InputImageError, match="non-linear"):
        segmentation_job(volume, model)


def test_a_constant_volume_fails_in_the_worker_with_the_librarys_sentence(worker: Worker, model: StubModel) -> None:
    scene = new_scene()
    job = run(worker, add_volume(scene, sitk.Image(20, 20, 20, sitk.sitkInt16)), model)
    assert job.state is JobState.FAILED
    assert job.message == "The volume is empty: every voxel has the value 0."
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_several_channels_are_brought_together_in_the_world(worker: Worker) -> None:
    scene = new_scene()
    first, second = base_image(), base_image((1.5, 1.5, 1.5), (0, 0, 0))
    model = stub_model(RandomNetwork(in_channels=2), channels=2, patch=[16, 16, 16])
    from LightMedSegLib.inference.segmentation import segment

    wanted = sitk.GetArrayFromImage(segment([first, second], model, "cpu").labelmap)
    volumes = [add_volume(scene, first, "T1"), add_volume(scene, second, "T2")]
    node = result(worker, volumes, model)
    assert np.array_equal(labels_of(node), wanted)
    assert_geometry_of(node, volumes[0])
