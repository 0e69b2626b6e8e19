"""Metrics against values worked out by hand, by brute force, and by MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.evaluation.metrics import dice, evaluate, mean_without_nan, surface_metrics, volume_ml
from LightMedSegLib.evaluation.surface_distances import surface, surface_distances

SPACING = (0.7, 1.3, 2.5)
"""mm along x, y, z."""


def blob(seed: int, shape: tuple[int, int, int] = (14, 18, 20)) -> np.ndarray:
    """A smooth random mask that fills about a third of the volume and touches its border."""
    noise = sitk.GetImageFromArray(np.random.default_rng(seed).standard_normal(shape))
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(noise, 2.0))
    return smooth > np.quantile(smooth, 0.67)


def test_dice_of_shifted_cubes_is_the_known_fraction() -> None:
    first, second = np.zeros((2, 8, 8, 8), dtype=bool)
    first[2:6, 2:6, 2:6] = True
    second[3:7, 2:6, 2:6] = True
    assert dice(first, second) == 2 * 48 / 128
    assert dice(first, first) == 1.0
    assert dice(first, ~first) == 0.0


def test_the_surface_is_what_has_a_face_neighbour_outside_and_the_border_counts_as_outside() -> None:
    mask = np.zeros((7, 7, 7), dtype=bool)
    mask[1:6, 1:6, 1:6] = True
    assert surface(mask).sum() == 5**3 - 3**3
    assert surface(np.ones((4, 4, 4), dtype=bool)).sum() == 4**3 - 2**3


def test_a_shift_along_one_axis_is_measured_with_that_axis_spacing() -> None:
    first = np.zeros((12, 12, 12), dtype=bool)
    first[4:8, 4:8, 4:8] = True
    for axis, step in zip((2, 1, 0), SPACING, strict=True):
        distance, _ = surface_metrics(first, np.roll(first, 2, axis), SPACING, 1.0)
        assert distance == pytest.approx(2 * step, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_distances_equal_those_of_a_search_over_all_pairs(seed: int) -> None:
    first, second = blob(seed), blob(seed + 100)
    found = surface_distances(first, second, SPACING)
    one = np.argwhere(surface(first))[:, ::-1] * SPACING
    two = np.argwhere(surface(second))[:, ::-1] * SPACING
    pairs = np.linalg.norm(one[:, None] - two[None], axis=2)
    np.testing.assert_allclose(found.first_to_second, pairs.min(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.second_to_first, pairs.min(axis=0), atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_dice_hd95_and_nsd_agree_with_monai(seed: int) -> None:
    monai = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    first, second = blob(seed), np.roll(blob(seed), 2, axis=seed % 3) ^ (blob(seed + 7) & blob(seed + 9))
    one, two = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (first, second))
    spacing = list(SPACING[::-1])
    assert dice(first, second) == pytest.approx(float(monai.compute_dice(one, two)), abs=1e-6)
    distance = monai.compute_hausdorff_distance(one, two, include_background=True, percentile=95, spacing=spacing)
    for tolerance in (1.0, 1.5, 3.0):
        surface_dice = monai.compute_surface_dice(one, two, [tolerance], include_background=True, spacing=spacing)
        expected = pytest.approx((float(distance), float(surface_dice)), abs=1e-4)
        assert surface_metrics(first, second, SPACING, tolerance) == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_metrics_do_not_depend_on_which_mask_comes_first(seed: int, other: int) -> None:
    rng = np.random.default_rng([seed, other])
    first, second = rng.random((2, 6, 7, 8)) < rng.uniform(0.02, 0.6)
    for metric in (dice, lambda a, b: surface_metrics(a, b, SPACING, 1.0)):
        np.testing.assert_equal(metric(first, second), metric(second, first))


def test_an_empty_pair_has_no_metrics_and_one_empty_side_has_the_worst() -> None:
    empty, full = np.zeros((4, 4, 4), dtype=bool), np.ones((4, 4, 4), dtype=bool)
    assert math.isnan(dice(empty, empty))
    assert all(math.isnan(value) for value in surface_metrics(empty, empty, SPACING, 1.0))
    for first, second in ((empty, full), (full, empty)):
        assert (dice(first, second), *surface_metrics(first, second, SPACING, 1.0)) == (0.0, math.inf, 0.0)


def test_means_leave_out_what_does_not_exist_but_not_what_is_infinite() -> None:
    assert mean_without_nan([0.5, math.nan, 1.0]) == 0.75
    assert mean_without_nan([1.0, math.inf]) == math.inf
    assert math.isnan(mean_without_nan([math.nan]))


def test_volumes_are_voxels_times_their_size() -> None:
    assert volume_ml(np.ones((10, 10, 10), dtype=bool), (1.0, 2.0, 0.5)) == pytest.approx(1.0)


def test_evaluate_gives_one_entry_for_each_label_in_their_order(labelmap: sitk.Image) -> None:
    array = sitk.GetArrayFromImage(labelmap)
    array[array == 1] = 0
    prediction = sitk.GetImageFromArray(array)
    prediction.CopyInformation(labelmap)
    second, first, third = evaluate(prediction, labelmap, {2: "two", 1: "one", 3: "three"})
    assert (second.name, second.dice, second.hd95_mm, second.nsd) == ("two", 1.0, 0.0, 1.0)
    assert (first.name, first.dice, first.hd95_mm) == ("one", 0.0, math.inf)
    voxel_ml = 0.9 * 1.1 * 1.5 / 1000
    assert first.volume_difference_ml == pytest.approx(-6 * 8 * 6 * voxel_ml)
    assert math.isnan(third.dice)
    assert third.volume_difference_ml == 0.0


def test_labelmaps_on_different_grids_are_not_compared(labelmap: sitk.Image) -> None:
    for change in (
        lambda image: image.SetOrigin((0, 0, 0)),
        lambda image: image.SetSpacing((1, 1, 1)),
        lambda image: image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, 1)),
    ):
        other = sitk.Image(labelmap)
        change(other)
        with pytest.raises(InputImageError, match="differ in spacing, origin or direction"):
            evaluate(other, labelmap, {1: "one"})
    with pytest.raises(InputImageError, match="differ in size"):
        evaluate(labelmap[1:], labelmap, {1: "one"})


def test_the_rounding_of_a_nifti_header_does_not_make_another_grid(labelmap: sitk.Image) -> None:
    other = sitk.Image(labelmap)
    other.SetDirection(np.float32(labelmap.GetDirection()).astype(float).tolist())
    other.SetOrigin([x + 1e-5 for x in labelmap.GetOrigin()])
    assert evaluate(other, labelmap, {1: "one"})[0].dice == 1.0
