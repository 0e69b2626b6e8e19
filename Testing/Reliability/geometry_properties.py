"""What must hold for every volume of geometry_cases. Each takes a case and a folder, and raises AssertionError."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from engine_stubs import make_image, rotation
from mrml_nodes import add_transform, add_volume, add_warp, labelmap_image, labels_of, new_scene, put_under
from patience import Patience

from LightMedSegLib.cli.segmenting.report import segmentation_report
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, Grid, clip_box, grow_box
from LightMedSegLib.core.progress import StageTimer
from LightMedSegLib.inference.engine import ROI_MARGIN_MM
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.io.labelmaps.reading import read_labelmap
from LightMedSegLib.io.segmentation_files import write_segmentation
from LightMedSegLib.mrml.jobs.job_state import JobState
from LightMedSegLib.mrml.jobs.segment_job import segmentation_job
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.transforms import to_array
from LightMedSegLib.mrml.volumes import volume_grid
from Reliability.geometry_cases import (
    BallCase,
    ImageCase,
    RefusedCase,
    SceneCase,
    heights,
    image_of,
    intensities,
    points,
)

LPS_FROM_RAS = np.diag((-1.0, -1.0, 1.0))
ONE_PERCENT = 0.01


def labels_lie_in_place(case: ImageCase, folder: Path) -> None:
    """Library: each label's places are the true ones to half a voxel; the grid is the input's to the last bit."""
    place = case.place
    where = points(place.size, place.spacing, place.origin, place.direction)
    height, step = heights(where, case.normal)
    image = image_of(intensities(1 + height / step), place, case.dtype)
    result = segment(image, case.model.stub(3), "cpu", case.box)
    assert _bits(result.labelmap) == _bits(image), "the grid is not the input's, bit by bit"
    assert_in_place(sitk.GetArrayFromImage(result.labelmap), height, step, case, Grid.of(image), case.box)
    path = folder / "result.seg.nrrd"
    write_segmentation(path, result.labelmap, result.card.labels)
    again = read_labelmap(path).image
    assert np.array_equal(sitk.GetArrayViewFromImage(again), sitk.GetArrayViewFromImage(result.labelmap))
    assert np.allclose([*again.GetSpacing(), *again.GetOrigin()], [*image.GetSpacing(), *image.GetOrigin()], rtol=1e-9)
    assert np.allclose(again.GetDirection(), image.GetDirection(), atol=1e-9)


def assert_in_place(
    labels: np.ndarray, height: np.ndarray, step: float, case: ImageCase, grid: Grid, box: Box | None
) -> None:
    """Every voxel with a wrong label lies closer to the border between the labels than half a voxel.

    Half a voxel of the volume itself, except at the rim of what the network sees, where half a voxel of the model's
    grid may be missing.
    """
    whole: Box = ((0, grid.size[0]), (0, grid.size[1]), (0, grid.size[2]))
    box = whole if box is None else clip_box(box, grid)
    truth = np.clip(np.rint(1 + height / step), 0, 2).astype(np.uint8)
    inside = np.zeros(labels.shape, dtype=bool)
    inside[tuple(slice(*pair) for pair in box[::-1])] = True
    assert not labels[~inside].any(), "there are labels outside the region"
    from_border = np.abs(np.abs(height) - step / 2)
    axes = np.reshape(grid.direction, (3, 3)).T @ np.array(case.normal)
    spacing, coarse = np.array(grid.spacing), _model_spacing(case, grid)
    fine_half, coarse_half = (float(np.abs(axes) @ size) / 2 for size in (spacing, np.maximum(spacing, coarse)))
    rim = _rim(labels.shape, grow_box(box, ROI_MARGIN_MM, grid), coarse / spacing)
    allowed = np.where(rim, fine_half + coarse_half, fine_half)
    wrong = inside & (labels != truth) & (from_border > allowed)
    if wrong.any():
        worst = float((from_border - allowed)[wrong].max())
        raise AssertionError(f"{int(wrong.sum())} voxels have the label of another place, up to {worst:.3f} mm too far")


def _model_spacing(case: ImageCase, grid: Grid) -> np.ndarray:
    """The model's voxel edge along each axis of the volume: at worst the longest."""
    return np.full(3, max(case.model.spacing))


def _rim(shape: tuple[int, ...], seen: Box, reach: np.ndarray) -> np.ndarray:
    rim = np.ones(shape, dtype=bool)
    inner = [
        slice(first + int(np.ceil(2 * r)), max(first, last - int(np.ceil(2 * r))))
        for (first, last), r in zip(seen, reach, strict=True)
    ]
    rim[tuple(inner[::-1])] = False
    return rim


def volumes_agree(case: BallCase, folder: Path) -> None:
    """Library: the reported ml of a ball are those of the formula, within 1 %."""
    spacing = np.array(case.spacing)
    radius = case.radius_in_voxels * max(*case.spacing, *case.model.spacing)
    size = tuple(int(np.ceil((2 * radius + 6) / step)) for step in case.spacing)
    direction = rotation(case.angles)
    origin = np.array((10.0, -20.0, 30.0))
    middle = origin + direction @ (((np.array(size) - 1) / 2 + np.array(case.shift)) * spacing)
    distance = np.linalg.norm(points(size, spacing, origin, direction) - middle, axis=-1)
    voxels = intensities(0.5 + (radius - distance) / radius)
    image = make_image(voxels.astype(np.float32), case.spacing, tuple(origin), direction)
    result = segment(image, case.model.stub(2), "cpu")
    reported = segmentation_report(result, StageTimer())["segments"][0]["ml"]
    expected = 4 / 3 * np.pi * radius**3 / 1000
    assert abs(reported / expected - 1) <= ONE_PERCENT, f"{reported:.3f} ml reported, {expected:.3f} ml are there"
    labels = sitk.GetArrayViewFromImage(result.labelmap)
    centre = (points(size, spacing, origin, direction)[labels == 1]).mean(axis=0)
    error = np.linalg.norm(centre - middle)
    assert error < spacing.min() / 2, f"the middle of the label is {error:.3f} mm off"


def scene_labels_lie_in_place(case: SceneCase, folder: Path) -> None:
    """Bridge: the same in world coordinates, under transforms and with a region of interest; ml under stretching."""
    scene = new_scene()
    place = case.image.place
    blank = image_of(np.zeros(place.size[::-1]), place, case.image.dtype)
    node = add_volume(scene, blank)
    put_under(node, _transform(scene, case, place.direction))
    grid = volume_grid(node)
    where = _world_points(node)
    height, step = heights(where, case.image.normal)
    filled = image_of(intensities(1 + height / step), place, case.image.dtype)
    scene.RemoveNode(node)
    node = add_volume(scene, filled)
    put_under(node, _transform(scene, case, place.direction))
    if case.hardened:
        node.HardenTransform()
    box = case.image.box
    outcome = _run(node, case.image.model.stub(3), None if box is None else _roi(scene, clip_box(box, grid), grid))
    labels = labels_of(outcome.node)
    assert np.allclose(_label_points(outcome.node), _world_points(node), atol=1e-6), "the result lies elsewhere"
    assert outcome.node.GetTransformNodeID() == node.GetTransformNodeID()
    own = node.GetImageData().GetDimensions()
    assert labelmap_image(outcome.node).GetDimensions() == own
    assert_in_place(labels, height, step, case.image, grid, box)
    voxel_ml = abs(np.linalg.det(_to_world(node)[:3, :3])) / 1000
    for value, row in enumerate(outcome.statistics, start=1):
        expected = np.count_nonzero(labels == value) * voxel_ml
        assert abs(row.volume_ml - expected) <= ONE_PERCENT * expected, (row, expected)


def is_refused(case: RefusedCase, folder: Path) -> None:
    """Bridge: a place that is mirrored, sheared, flattened or warped by a transform is refused in one sentence."""
    scene = new_scene()
    node = add_volume(scene, image_of(np.ones(case.place.size[::-1]), case.place, "int16"))
    if case.kind == "warp":
        put_under(node, add_warp(scene))
    else:
        put_under(node, add_transform(scene, _spoiling(case)))
    try:
        segmentation_job(node, "some-model")
    except InputImageError as error:
        assert str(error).count("\n") == 0
        assert "Scan" in str(error), error
        return
    raise AssertionError(f"a volume under a transform of the kind {case.kind} was accepted")


def _spoiling(case: RefusedCase) -> np.ndarray:
    axes = LPS_FROM_RAS @ np.reshape(case.place.direction, (3, 3))
    own = np.eye(3)
    if case.kind == "mirror":
        own[case.axis, case.axis] = -1.0
    elif case.kind == "flat":
        own[case.axis, case.axis] = 0.0
    else:
        own[case.axis, (case.axis + 1) % 3] = case.amount
    matrix: np.ndarray = axes @ own @ axes.T
    return matrix


def _transform(scene: Any, case: SceneCase, direction: tuple[float, ...]) -> Any:
    """Stretching along the volume's own axes, then a turn, then a shift: three nodes, one below the other."""
    axes = LPS_FROM_RAS @ np.reshape(direction, (3, 3))
    shift = np.eye(4)
    shift[:3, 3] = case.shift
    outer = add_transform(scene, rotation(case.angles), add_transform(scene, shift))
    return add_transform(scene, axes @ np.diag(case.stretch) @ axes.T, outer)


def _roi(scene: Any, box: Box, grid: Grid) -> Any:
    """A region of interest that is fitted to the voxels of box, in world coordinates."""
    from mrml_nodes import vtk_matrix

    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Region")
    roi.SetSize(*[(last - first) * step for (first, last), step in zip(box, grid.spacing, strict=True)])
    matrix = np.eye(4)
    matrix[:3, :3] = LPS_FROM_RAS @ np.reshape(grid.direction, (3, 3))
    matrix[:3, 3] = LPS_FROM_RAS @ grid.point(tuple((first + last - 1) / 2 for first, last in box))
    roi.SetAndObserveObjectToNodeMatrix(vtk_matrix(matrix))
    return roi


def _run(node: Any, model: Any, roi: Any) -> Any:
    worker = Worker()
    job = segmentation_job(node, model, roi_node=roi, options=SegmentOptions(device="cpu"))
    worker.submit(job)
    worker.wait(job, on_idle=Patience(60).check)
    assert worker.close()
    assert job.state is JobState.DONE, job.message
    return job.outcome


def _to_world(node: Any) -> np.ndarray:
    import vtk

    matrix, parent = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    if node.GetParentTransformNode() is not None:
        node.GetParentTransformNode().GetMatrixTransformToWorld(parent)
    world: np.ndarray = to_array(parent) @ to_array(matrix)
    return world


def _world_points(node: Any) -> np.ndarray:
    """LPS (z, y, x, 3) of the voxels of a volume node, by way of VTK."""
    return _through(_to_world(node), node.GetImageData().GetDimensions())


def _label_points(node: Any) -> np.ndarray:
    import vtk

    image = labelmap_image(node)
    matrix, parent = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    if node.GetParentTransformNode() is not None:
        node.GetParentTransformNode().GetMatrixTransformToWorld(parent)
    assert image.GetExtent()[::2] == (0, 0, 0)
    return _through(to_array(parent) @ to_array(matrix), image.GetDimensions())


def _through(matrix: np.ndarray, size: tuple[int, int, int]) -> np.ndarray:
    index = np.stack(np.meshgrid(*[np.arange(n, dtype=float) for n in size], indexing="ij"), axis=-1)
    ras = index @ matrix[:3, :3].T + matrix[:3, 3]
    lps: np.ndarray = (ras @ LPS_FROM_RAS).transpose(2, 1, 0, 3)
    return lps


def _bits(image: sitk.Image) -> tuple[Any, ...]:
    """Size, spacing, origin and direction, the floats as their bytes."""
    numbers = np.array([*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()], dtype="<f8")
    return (image.GetSize(), numbers.tobytes())
