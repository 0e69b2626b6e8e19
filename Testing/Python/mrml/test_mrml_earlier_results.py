"""A new result is shown without the earlier ones of the same voxels on top of it."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from mrml_job_stubs import PreviewSegment, StubSegment, begin, finish
from mrml_nodes import add_painted_segment, add_volume, labelmap_image, labels_of

from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.segmentations.earlier_results import show_alone
from LightMedSegLib.mrml.segmentations.result_record import region_box, region_text
from LightMedSegLib.mrml.segmentations.writing import write_result

LOW, HIGH = ((0, 8), (0, 8), (0, 8)), ((8, 12), (0, 8), (0, 8))


def shown(*nodes: Any) -> list[bool]:
    return [bool(node.GetDisplayNode().GetVisibility()) for node in nodes]


def other_model(card: ModelCard) -> ModelCard:
    return ModelCard.from_json({**card.to_json(), "name": "other", "title": "Other"})


def test_only_other_results_of_the_same_voxels_are_hidden(
    scan: Any, labels: np.ndarray, card: ModelCard, volume: sitk.Image
) -> None:
    earlier = write_result(scan, labels, card)
    elsewhere = write_result(add_volume(scan.GetScene(), volume, "Other"), labels, card)
    own = scan.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Own")
    own.SetReferenceImageGeometryParameterFromVolumeNode(scan)
    add_painted_segment(own, scan, labels == 1, "Mine")
    own.CreateDefaultDisplayNodes()
    node = write_result(scan, labels, other_model(card))
    assert show_alone(node) == [earlier.GetName()]
    assert shown(node, earlier, elsewhere, own) == [True, False, True, True]
    assert show_alone(node) == [], "the user learns it once"
    assert show_alone(earlier) == [node.GetName()]
    assert shown(node, earlier) == [False, True]


def test_results_of_two_regions_are_shown_together_where_they_share_no_voxel(
    scan: Any, labels: np.ndarray, card: ModelCard
) -> None:
    low = write_result(scan, labels, card, region=LOW)
    high = write_result(scan, labels, card, region=HIGH)
    assert show_alone(high) == []
    whole = write_result(scan, labels, card)
    assert show_alone(whole) == [low.GetName(), high.GetName()]
    assert region_box(region_text(LOW)) == LOW
    assert region_box(region_text(None)) is None and region_box("1 2 x") is None


def test_a_run_that_keeps_an_edited_result_hides_it_and_says_so(worker: Worker, volume: sitk.Image) -> None:
    import slicer

    scene = slicer.vtkMRMLScene()
    node, stub = add_volume(scene, volume, "Scan"), PreviewSegment()
    first = finish(worker, stub, begin(worker, node, stub)).outcome.node
    labels_of(first)[0, 0, 0] = 1
    labelmap_image(first).Modified()
    preview = SegmentOptions(preview_spacing=(2.0, 2.0, 2.0))
    outcome = finish(worker, stub, begin(worker, node, stub, options=preview)).outcome
    assert outcome.node is not first and shown(first, outcome.node) == [False, True]
    assert outcome.notes[-1] == f"The earlier result '{first.GetName()}' is hidden in the views now."
    assert "hidden" not in str(finish(worker, stub, begin(worker, node, stub)).outcome.notes)


def test_a_first_run_hides_nothing(worker: Worker, volume: sitk.Image) -> None:
    import slicer

    scene, stub = slicer.vtkMRMLScene(), StubSegment()
    outcome = finish(worker, stub, begin(worker, add_volume(scene, volume, "Scan"), stub)).outcome
    assert shown(outcome.node) == [True] and not [note for note in outcome.notes if "hidden" in note]
