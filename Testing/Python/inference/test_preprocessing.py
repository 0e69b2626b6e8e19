"""Resampling, normalising and preparing a volume as the card says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import IDENTITY_WINDOW, make_image, reordered, rotation, smooth_noise, stub_card

from LightMedSegLib.core.errors import CancelledError, InputImageError
from LightMedSegLib.core.geometry import AxisMap, Grid
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference import resampling
from LightMedSegLib.inference.normalization import normalize, percentiles
from LightMedSegLib.inference.preprocessing import prepare, prepare_labelmap, prepare_volume
from LightMedSegLib.inference.resampling import axis_weights, resample


def onto(image: sitk.Image, grid: Grid) -> np.ndarray:
    """Linear resampling by SimpleITK, as a witness."""
    reference = grid.image(np.zeros(grid.shape, dtype=np.uint8))
    resampled = sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32, True)
    return sitk.GetArrayFromImage(resampled)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.0, 0.9), (0.5, 2.0, 1.1)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (10, -25, 40)])
def test_resampling_to_a_finer_grid_is_simpleitks_linear_interpolation(
    spacing: tuple[float, float, float], angles: tuple[float, float, float]
) -> None:
    image = make_image(smooth_noise((14, 17, 20)), (1.0, 2.1, 1.05), (5, 6, 7), rotation(angles))
    spec = stub_card(spacing_mm=list(spacing), normalization=IDENTITY_WINDOW).input
    array, grid = prepare(image, spec)
    assert array.shape == (1, *grid.shape)
    assert array.dtype == np.float32
    inside = (slice(2, -2),) * 3
    assert array[0][inside] == pytest.approx(onto(image, grid)[inside], abs=2e-2)


def test_a_coarser_grid_is_smoothed_first_so_that_fine_texture_does_not_fold() -> None:
    checkers = (np.indices((32, 32, 32)).sum(axis=0) % 2).astype(np.float32)
    axes = tuple(AxisMap.between(0, 32, 1.0, 2.4) for _ in range(3))
    result = resample(checkers, axes)
    assert result.mean() == pytest.approx(0.5, abs=0.02)
    assert result[2:-2, 2:-2, 2:-2].std() < 0.02


def test_a_coarser_grid_keeps_constants_gradients_and_positions() -> None:
    ramp = np.broadcast_to(np.arange(40, dtype=np.int16) * 10, (6, 8, 40))
    axes = (AxisMap.between(0, 40, 1.0, 2.5), AxisMap.between(0, 8, 1.0, 1.0), AxisMap.between(0, 6, 1.0, 1.0))
    result = resample(ramp, axes)
    assert result.shape == (6, 8, 16)
    expected = axes[0].to_volume(np.arange(16)) * 10
    assert result[3, 4, 3:-3] == pytest.approx(expected[3:-3], abs=0.02)
    assert resample(np.full((6, 8, 40), 7, dtype=np.uint8), axes) == pytest.approx(7)


def test_smoothing_then_sampling_is_one_matrix_whose_rows_sum_to_one() -> None:
    for model_spacing in (0.3, 1.1, 1.5, 4.0):
        weights = axis_weights(AxisMap.between(0, 50, 1.0, model_spacing))
        assert weights is not None
        assert weights.sum(axis=1) == pytest.approx(1)
        assert weights[::-1, ::-1] == pytest.approx(weights, abs=1e-6)
    assert axis_weights(AxisMap.between(0, 50, 1.0, 1.0)) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_voxel_type_gives_the_same_result(dtype: type) -> None:
    array = np.clip(smooth_noise((9, 10, 11)), 0, 255).astype(np.uint8)
    axes = (AxisMap.between(0, 11, 1.0, 1.5), AxisMap.between(0, 10, 1.0, 0.7), AxisMap.between(0, 9, 1.0, 1.0))
    assert np.array_equal(resample(array.astype(dtype), axes), resample(array, axes))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_a_cuda_device_resamples_like_the_processor(dtype: type) -> None:
    array = np.clip(smooth_noise((9, 10, 11)), 0, 255).astype(dtype)
    axes = (AxisMap.between(0, 11, 1.0, 1.5), AxisMap.between(0, 10, 1.0, 0.7), AxisMap.between(0, 9, 1.0, 2.0))
    assert resample(array, axes, device="cuda") == pytest.approx(resample(array, axes), rel=1e-5, abs=1e-4)


def test_a_volume_that_is_too_large_for_a_cuda_device_is_resampled_on_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    axes = (AxisMap.between(0, 8, 1.0, 2.0),) * 3
    array = smooth_noise((8, 8, 8))
    expected, problems = resample(array, axes), ["CUDA out of memory. Tried to allocate 4 GiB", "CUDA error: unknown"]
    on_processor = resampling.weighted

    def failing(*arguments: Any) -> Any:
        if arguments[3:] == ("cuda:0",):
            raise RuntimeError(problems.pop(0))
        return on_processor(*arguments)

    monkeypatch.setattr(resampling, "weighted", failing)
    assert np.array_equal(resample(array, axes, device="cuda:0"), expected)
    with pytest.raises(RuntimeError, match="unknown"):
        resample(array, axes, device="cuda:0")


def test_zscore_clips_at_the_percentiles_and_has_mean_zero_and_deviation_one() -> None:
    volume = smooth_noise((20, 20, 20))
    volume[0, 0, 0], volume[1, 1, 1] = 1e6, -1e6
    lower, upper = np.percentile(volume, (1, 99))
    expected = np.clip(volume, lower, upper)
    normalize(volume, {"kind": "zscore", "clip_percentiles": [1, 99]})
    assert volume == pytest.approx((expected - expected.mean()) / expected.std(), abs=1e-4)


def test_a_constant_volume_becomes_zero_not_nan() -> None:
    volume = np.full((4, 4, 4), 17, dtype=np.float32)
    normalize(volume, {"kind": "zscore", "clip_percentiles": [0.5, 99.5]})
    assert np.array_equal(volume, np.zeros_like(volume))


def test_window_clips_then_shifts_and_scales() -> None:
    volume = np.array([-2000, -200, 50, 300, 3000], dtype=np.float32)
    normalize(volume, {"kind": "window", "lower": -200, "upper": 300, "mean": 50, "std": 125})
    assert volume.tolist() == [-2, -2, 0, 2, 2]


def test_an_unknown_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match="histogram"):
        normalize(np.zeros(3, dtype=np.float32), {"kind": "histogram"})


def test_percentiles_of_a_large_volume_come_close_from_a_fixed_part_of_it() -> None:
    volume = np.random.default_rng(0).normal(size=(30, 512, 300)).astype(np.float32)
    lower, upper = percentiles(volume, (0.5, 99.5))
    assert (lower, upper) == pytest.approx(np.percentile(volume, (0.5, 99.5)), abs=0.01)
    assert percentiles(volume, (0.5, 99.5)) == (lower, upper)


def test_all_axis_orders_and_flips_prepare_to_the_same_array() -> None:
    image = make_image(smooth_noise((10, 12, 14)), (0.9, 1.3, 2.0), (1, 2, 3), rotation((4, 8, 12)))
    spec = stub_card(spacing_mm=[1.2, 1.0, 1.6], orientation="RAS").input
    expected, grid = prepare(image, spec)
    for permutation in ((0, 1, 2), (2, 0, 1), (1, 0, 2)):
        for flips in ((False, True, False), (True, True, True)):
            array, other = prepare(reordered(image, permutation, flips), spec)
            assert array == pytest.approx(expected, abs=1e-4)
            assert other.origin == pytest.approx(grid.origin)
            assert other.direction == pytest.approx(grid.direction)


def test_further_channels_come_onto_the_first_ones_grid_through_space() -> None:
    first = make_image(smooth_noise((16, 16, 16)), (1, 1, 1), (0, 0, 0))
    second = make_image(smooth_noise((40, 40, 40), seed=1), (0.7, 0.7, 0.7), (-5, -5, -5), rotation((0, 0, 20)))
    spec = stub_card(channels=2, spacing_mm=[2.0, 2.0, 2.0], normalization=IDENTITY_WINDOW).input
    array, _ = prepare([first, second], spec)
    lowest = float(sitk.GetArrayViewFromImage(second).min())
    moved = sitk.Resample(second, first, sitk.Transform(), sitk.sitkLinear, lowest)
    expected, _ = prepare([first, moved], spec)
    assert array.shape[0] == 2
    assert array == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("channels", "given"), [(1, 2), (2, 1), (3, 2)])
def test_a_wrong_number_of_channels_is_refused_with_the_channels_names(channels: int, given: int) -> None:
    images = [make_image(smooth_noise((6, 6, 6)))] * given
    with pytest.raises(InputImageError, match=rf"reads {channels} volumes? \(Channel 1.*but {given} w"):
        prepare(images, stub_card(channels=channels).input)


def test_a_labelmap_lands_on_the_model_grid_with_its_own_values_only() -> None:
    labels = (smooth_noise((12, 14, 16)) > 100).astype(np.uint8) * 255
    labels[:6] //= 85
    labelmap = make_image(labels, (0.8, 0.8, 1.7), (3, 4, 5), rotation((0, 15, 0)))
    _, grid = prepare(labelmap, stub_card(spacing_mm=[0.5, 1.1, 1.0]).input)
    result = prepare_labelmap(labelmap, grid)
    assert result.shape == grid.shape
    assert result.dtype == np.uint8
    assert set(np.unique(result)) == set(np.unique(labels))
    assert (result > 0).mean() == pytest.approx((labels > 0).mean(), abs=0.03)


def test_only_the_box_decides_the_normalisation() -> None:
    array = smooth_noise((20, 20, 20))
    changed = array.copy()
    changed[:, :, 12:] += 1000
    spec = stub_card().input
    box = ((2, 12), (0, 20), (3, 18))
    first = prepare_volume([make_image(array)], spec, box).array
    assert first.shape == (1, 15, 20, 10)
    assert np.array_equal(prepare_volume([make_image(changed)], spec, box).array, first)


def test_the_body_is_what_is_above_the_background_value_before_normalising() -> None:
    array = np.full((8, 8, 8), -1000, dtype=np.int16)
    array[2:5, 3:6, 4:7] = 40
    spec = stub_card(background_value=-900, normalization={**IDENTITY_WINDOW, "lower": -100, "upper": 100}).input
    body = prepare_volume([make_image(array)], spec).body
    assert body is not None
    assert np.array_equal(body, array == 40)
    assert prepare_volume([make_image(array)], stub_card().input).body is None


def test_a_cancelled_token_stops_the_preparation() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        prepare_volume([make_image(smooth_noise((6, 6, 6)))], stub_card().input, cancel=token)
