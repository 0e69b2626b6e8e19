"""Cleaning up labelmaps as the card says."""

from __future__ import annotations

import numpy as np
import pytest
from engine_stubs import smooth_noise

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.postprocessing import bounding_boxes, postprocess


def scene() -> np.ndarray:
    """Label 1: 27 and 8 voxels apart. Label 2: 12 voxels touching the small part of label 1, and 1 voxel alone."""
    labels = np.zeros((12, 14, 16), dtype=np.uint8)
    labels[1:4, 1:4, 1:4] = 1
    labels[8:10, 8:10, 8:10] = 1
    labels[8:10, 8:10, 10:13] = 2
    labels[1, 12, 14] = 2
    return labels


def counts(labels: np.ndarray) -> dict[int, int]:
    values, sizes = np.unique(labels[labels > 0], return_counts=True)
    return dict(zip(values.tolist(), sizes.tolist(), strict=True))


def test_the_largest_component_of_each_label_stays() -> None:
    labels = scene()
    postprocess(labels, [{"operation": "keep_largest_component", "labels": [1, 2], "joint": False}], 0.001)
    assert counts(labels) == {1: 27, 2: 12}
    assert labels[2, 2, 2] == 1 and labels[8, 8, 8] == 0


def test_joint_labels_keep_the_largest_component_of_their_union() -> None:
    labels = scene()
    labels[8:10, 8:10, 10:15] = 2
    postprocess(labels, [{"operation": "keep_largest_component", "labels": [1, 2], "joint": True}], 0.001)
    assert counts(labels) == {1: 8, 2: 20}


def test_a_label_that_is_not_named_is_not_touched() -> None:
    labels = scene()
    postprocess(labels, [{"operation": "keep_largest_component", "labels": [2], "joint": False}], 0.001)
    assert counts(labels) == {1: 35, 2: 12}


def test_voxels_that_touch_at_a_corner_belong_together() -> None:
    labels = np.zeros((6, 6, 6), dtype=np.uint8)
    labels[range(6), range(6), range(6)] = 1
    postprocess(labels, [{"operation": "keep_largest_component", "labels": [1], "joint": False}], 1.0)
    assert counts(labels) == {1: 6}


@pytest.mark.parametrize(("minimum_ml", "left"), [(0.007, 35), (0.008, 35), (0.0081, 27), (0.027, 27), (0.1, 0)])
def test_components_smaller_than_the_minimum_volume_are_removed(minimum_ml: float, left: int) -> None:
    labels = scene()
    step = {"operation": "remove_small_components", "labels": [1], "minimum_ml": minimum_ml}
    postprocess(labels, [step], voxel_ml=0.001)
    assert counts(labels).get(1, 0) == left
    assert counts(labels)[2] == 13


def test_holes_are_filled_and_other_labels_inside_them_stay() -> None:
    labels = np.zeros((9, 9, 9), dtype=np.uint8)
    labels[1:8, 1:8, 1:8] = 3
    labels[3:6, 3:6, 3:6] = 0
    labels[4, 4, 4] = 2
    labels[4, 4, 0:3] = 0
    open_hole = labels.copy()
    open_hole[4, 4, 0:4] = 0
    postprocess(open_hole, [{"operation": "fill_holes", "labels": [3]}], 1.0)
    assert open_hole[3, 3, 3] == 0
    labels[4, 4, 1:3] = 3
    postprocess(labels, [{"operation": "fill_holes", "labels": [3]}], 1.0)
    assert counts(labels) == {2: 1, 3: 7**3 - 1}


def test_steps_apply_in_order_and_to_labels_that_do_not_occur_without_harm() -> None:
    labels = scene()
    steps = [
        {"operation": "fill_holes", "labels": [1, 7]},
        {"operation": "remove_small_components", "labels": [7, 2], "minimum_ml": 0.002},
        {"operation": "keep_largest_component", "labels": [1, 9], "joint": True},
    ]
    postprocess(labels, steps, 0.001)
    assert counts(labels) == {1: 27, 2: 12}
    empty = np.zeros((3, 3, 3), dtype=np.uint8)
    postprocess(empty, steps, 0.001)
    assert not empty.any()


def test_bounding_boxes_are_tight() -> None:
    assert bounding_boxes(scene()) == {
        1: (slice(1, 10), slice(1, 10), slice(1, 10)),
        2: (slice(1, 10), slice(8, 13), slice(10, 15)),
    }


def test_a_part_of_an_array_is_cleaned_in_place() -> None:
    labels = scene()
    step = {"operation": "keep_largest_component", "labels": [1], "joint": False}
    postprocess(labels[6:, 2:, ::1], [step], 0.001)
    assert counts(labels) == counts(scene())


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(ValueError, match="'smooth'"):
        postprocess(scene(), [{"operation": "smooth", "labels": [1]}], 1.0)


def test_a_cancelled_token_stops_before_anything_changes() -> None:
    token = CancelToken()
    token.cancel()
    labels = scene()
    with pytest.raises(CancelledError):
        postprocess(labels, [{"operation": "keep_largest_component", "labels": [1], "joint": False}], 1.0, token)
    assert np.array_equal(labels, scene())


@pytest.mark.parametrize("operation", ["keep_largest_component", "remove_small_components", "fill_holes"])
def test_structures_that_are_cleaned_at_the_same_time_end_as_one_after_the_other(operation: str) -> None:
    noise = smooth_noise((24, 30, 28), seed=5, sigma=1.5)
    labels = np.digitize(noise, np.quantile(noise, [0.2, 0.4, 0.6, 0.8])).astype(np.uint8)
    steps = [{"operation": operation, "labels": [1, 2, 3, 4], "joint": False, "minimum_ml": 0.02}]
    results = [labels.copy(), labels.copy()]
    for result, threads in zip(results, (1, 4), strict=True):
        postprocess(result, steps, 0.001, threads=threads)
    assert np.array_equal(*results) and not np.array_equal(results[0], labels)
