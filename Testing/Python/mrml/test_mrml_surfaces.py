"""Closed surfaces that are made beside the user interface: those of Slicer, one by one, and only while wanted."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import vtk
from engine_stubs import rotation
from mrml_nodes import add_volume, labelmap_image, labels_of, nested, new_scene, slicer
from patience import Patience
from vtk.util.numpy_support import vtk_to_numpy

from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.segmentations.shared_labelmap import BINARY_LABELMAP, label_scalars, make_labelmap
from LightMedSegLib.mrml.surfaces.enclosing import enclosing
from LightMedSegLib.mrml.surfaces.filters import SurfaceSettings, make_surface
from LightMedSegLib.mrml.surfaces.surfaces import (
    CLOSED_SURFACE,
    MAKE_EVENT,
    has_surfaces,
    make_surfaces_again,
    remove_surfaces,
    surface_job,
)


def segmentation_of(labels: np.ndarray, values: range, direction: Any = None) -> Any:
    image = sitk.GetImageFromArray(labels.astype(np.int16))
    image.SetSpacing((0.9, 1.1, 2.0))
    image.SetOrigin((-20.0, 13.0, 5.0))
    if direction is not None:
        image.SetDirection(direction)
    volume = add_volume(new_scene(), image)
    node = volume.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    labelmap = make_labelmap(volume, label_scalars(labels))
    node.GetSegmentation().SetSourceRepresentationName(BINARY_LABELMAP)
    for value in values:
        segment = slicer.vtkSegment()
        segment.SetName(f"Structure {value}")
        segment.SetLabelValue(value)
        segment.AddRepresentation(BINARY_LABELMAP, labelmap)
        node.GetSegmentation().AddSegment(segment, f"s{value}")
    node.CreateDefaultDisplayNodes()
    node.kept_volume = volume
    return node


def run(worker: Worker, job: Job) -> Job:
    worker.submit(job)
    worker.wait(job, on_idle=Patience(60).check)
    return job


def surface_of(node: Any, segment_id: str) -> Any:
    return node.GetSegmentation().GetSegment(segment_id).GetRepresentation(CLOSED_SURFACE)


OBLIQUE = tuple(np.ravel(rotation((10, 20, 25))))
MIRRORED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize("smoothing", ["0", "0.33", "0.5"])
@pytest.mark.parametrize(
    "direction", [None, tuple(np.ravel(rotation((10, 20, 25)))), MIRRORED], ids=["plain", "oblique", "mirror"]
)
def test_they_are_the_surfaces_that_slicer_makes(worker: Worker, direction: Any, smoothing: str) -> None:
    node, other = (segmentation_of(nested(), range(1, 9), direction) for _ in range(2))
    for item in (node, other):
        item.GetSegmentation().SetConversionParameter("Smoothing factor", smoothing)
    assert run(worker, surface_job(node)).state is JobState.DONE
    other.CreateClosedSurfaceRepresentation()
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        own, expected = surface_of(node, segment_id), surface_of(other, segment_id)
        assert own.GetNumberOfPolys() == expected.GetNumberOfPolys()
        assert (own.GetNumberOfPolys() == 0) == (segment_id == "s7")
        if own.GetNumberOfPolys():
            points = [vtk_to_numpy(surface.GetPoints().GetData()) for surface in (own, expected)]
            np.testing.assert_allclose(*points, atol=1e-3)
            normals = [vtk_to_numpy(surface.GetPointData().GetNormals()) for surface in (own, expected)]
            np.testing.assert_allclose(*normals, atol=1e-2)


def test_decimation_and_normals_are_as_the_segmentation_has_them(worker: Worker) -> None:
    node = segmentation_of(nested(), range(1, 9))
    node.GetSegmentation().SetConversionParameter("Decimation factor", "0.7")
    node.GetSegmentation().SetConversionParameter("Compute surface normals", "0")
    full = segmentation_of(nested(), range(1, 9))
    for item in (node, full):
        assert run(worker, surface_job(item)).state is JobState.DONE
    assert surface_of(node, "s8").GetNumberOfPolys() < surface_of(full, "s8").GetNumberOfPolys() / 2
    assert surface_of(node, "s8").GetPointData().GetNormals() is None


def test_segments_of_another_layer_are_where_they_belong(worker: Worker) -> None:
    node = segmentation_of(nested(), range(1, 9))
    segmentation = node.GetSegmentation()
    segmentation.SeparateSegmentLabelmap("s3")
    assert run(worker, surface_job(node)).state is JobState.DONE
    whole = segmentation_of(nested(), range(1, 9))
    whole.CreateClosedSurfaceRepresentation()
    assert surface_of(node, "s3").GetBounds() == pytest.approx(surface_of(whole, "s3").GetBounds(), abs=1e-3)


def test_what_lies_around_the_others_is_hidden_once(worker: Worker) -> None:
    node = segmentation_of(nested(), range(1, 9))
    job = run(worker, surface_job(node))
    assert job.outcome == ["Structure 8"]
    display = node.GetDisplayNode()
    assert [display.GetSegmentVisibility3D(f"s{value}") for value in range(1, 9)] == [True] * 7 + [False]
    assert display.GetSegmentVisibility("s8"), "in the slice views it stays"
    display.SetSegmentVisibility3D("s8", True)
    node.RemoveClosedSurfaceRepresentation()
    assert run(worker, surface_job(node)).outcome == []
    assert display.GetSegmentVisibility3D("s8"), "the user wanted to see it"


def test_an_organ_around_a_few_others_is_not_hidden() -> None:
    boxes = {f"part {number}": ((float(number),) * 3, (number + 1.0,) * 3) for number in range(4)}
    organ = {"organ": ((0.0,) * 3, (9.0,) * 3)}
    assert enclosing({**boxes, **organ}) == ["organ"]
    assert enclosing({**dict(list(boxes.items())[:3]), **organ}) == []
    half = {f"right {number}": ((20.0 + number,) * 3, (21.0 + number,) * 3) for number in range(4)}
    assert enclosing({**boxes, **organ, **half}) == [], "one hemisphere does not hide the other"


def test_they_come_one_by_one(worker: Worker) -> None:
    node = segmentation_of(nested(), range(1, 9))
    seen: set[int] = set()
    job = surface_job(node)
    deliver = job.deliver

    def delivered(value: Any, final: bool) -> Any:
        result = deliver(value, final)
        surfaces = [surface_of(node, f"s{value}") for value in range(1, 9)]
        seen.add(sum(surface is not None and surface.GetNumberOfPolys() > 0 for surface in surfaces))
        return result

    job.deliver = delivered
    run(worker, job)
    assert len(seen) > 3, "more than nothing and everything"


def test_the_filters_give_python_free_while_they_compute() -> None:
    mask = np.zeros((80, 80, 80), dtype=bool)
    mask[2:-2:2, 2:-2, 2:-2] = True
    made = threading.Event()

    def work() -> None:
        make_surface(mask, (0, 0, 0), vtk.vtkMatrix4x4(), SurfaceSettings())
        made.set()

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not made.is_set():
        time.sleep(0.001)
        turns += 1
    thread.join()
    assert turns > 20, "a thread that keeps the lock leaves a handful of turns"


@pytest.mark.parametrize("what", ["edit", "remove node", "remove segment"])
def test_a_node_that_changes_meanwhile_drops_the_job(worker: Worker, what: str) -> None:
    node = segmentation_of(nested(), range(1, 9))
    job = surface_job(node)
    worker.submit(job)
    worker.poll()
    if what == "edit":
        labels_of(node)[0, 0, 0] = 1
        labelmap_image(node).Modified()
    elif what == "remove node":
        node.GetScene().RemoveNode(node)
    else:
        node.GetSegmentation().RemoveSegment("s2")
    worker.wait(job, on_idle=Patience(60).check)
    assert job.state is JobState.DROPPED


def test_where_nobody_makes_them_in_the_background_they_are_made_at_once() -> None:
    node, asked = segmentation_of(nested(), range(1, 9)), []
    make_surfaces_again(node)
    assert has_surfaces(node)
    remove_surfaces(node)
    node.AddObserver(MAKE_EVENT, lambda caller, event: asked.append(caller))
    make_surfaces_again(node)
    assert asked == [node] and not has_surfaces(node)


def imported_surface() -> Any:
    """A segmentation whose source is a closed surface, as one that Slicer reads from an STL file."""
    node = segmentation_of(nested(), range(1, 9))
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.GetSegmentation().RemoveRepresentation(BINARY_LABELMAP)
    return node


def test_surfaces_that_are_the_source_are_neither_removed_nor_made_again(worker: Worker) -> None:
    node = imported_surface()
    before = [surface_of(node, f"s{value}").GetNumberOfPolys() for value in range(1, 9)]
    remove_surfaces(node)
    job = run(worker, surface_job(node))
    assert job.state is JobState.DROPPED
    assert [surface_of(node, f"s{value}").GetNumberOfPolys() for value in range(1, 9)] == before
    assert sum(before) > 0
