"""Padding, spikes, offsets and scales: the labels of the clean volume, or a warning."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import IDENTITY_WINDOW, array_of, dice, make_image, smooth_noise, stub_card
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_phantoms import HEAD, NECK, ct_body, with_values

from LightMedSegLib.core.measured_values import measured_values, plateau_amid, sample_of
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.inference.intensity_repair import repaired
from LightMedSegLib.inference.normalization import normalize
from LightMedSegLib.inference.preprocessing import prepare, prepare_volume
from LightMedSegLib.inference.result import Segmentation
from LightMedSegLib.io.sample_data import sample_path

ZSCORE = {"kind": "zscore", "clip_percentiles": [0.5, 99.5]}
WINDOW = {"kind": "window", "lower": -300.0, "upper": 700.0, "mean": 50.0, "std": 180.0}
FINITE = float(np.finfo(np.float32).max)


@cache
def engine() -> Engine:
    return Engine("hippocampus-t1-mr", device="cpu", cpu_path="float32")


@cache
def sample() -> sitk.Image:
    return sitk.ReadImage(str(sample_path("hippocampus")))


@cache
def clean_result(spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Segmentation:
    return segmented(sitk.GetArrayFromImage(sample()), spacing)


def segmented(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Segmentation:
    image = with_values(sample(), array)
    image.SetSpacing(spacing)
    return engine().segment(image)


def agreement(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> tuple[float, list[str]]:
    """Dice of the worse label with the clean volume's result, and the warnings."""
    result = segmented(array, spacing)
    return dice(array_of(result), array_of(clean_result(spacing))), result.warnings


def test_the_clean_sample_gets_no_warning() -> None:
    assert clean_result().notes == []


@settings(max_examples=8, deadline=None)
@given(exponent=st.floats(-300, 300), offset=st.floats(-50, 50))
def test_a_scale_and_an_offset_change_nothing(exponent: float, offset: float) -> None:
    """Maps in SI units, rescaled exports, other digitisers: z-scores do not depend on them."""
    values = sitk.GetArrayFromImage(sample()).astype(np.float64)
    dice_with_clean, warnings = agreement((values / 255 + offset) * 10.0**exponent)
    assert dice_with_clean > 0.99 or warnings


@pytest.mark.filterwarnings("error")
def test_values_whose_scale_would_overflow_give_the_same_labels() -> None:
    values = sitk.GetArrayFromImage(sample()).astype(np.float64)
    assert agreement(values * 1e-310) == (pytest.approx(1, abs=0.01), [])


@settings(max_examples=16, deadline=None)
@given(
    value=st.one_of(
        st.sampled_from([-32768.0, -2000.0, -1024.0, -FINITE, FINITE, 65535.0, 1e30, -1e-3]),
        st.floats(-1e5, -300),
        st.floats(600, 1e5),
    ),
    planes=st.integers(1, 6),
    side=st.booleans(),
    axis=st.integers(0, 2),
)
def test_a_plateau_of_padding_leaves_the_labels_or_warns(value: float, planes: int, side: bool, axis: int) -> None:
    array = np.moveaxis(sitk.GetArrayFromImage(sample()).astype(np.float32), axis, 0)
    array[slice(None, planes) if side else slice(-planes, None)] = value
    array = np.moveaxis(array, 0, axis)
    lost = np.moveaxis(array_of(clean_result()), axis, 0)[slice(None, planes) if side else slice(-planes, None)]
    dice_with_clean, warnings = agreement(array)
    # What lies in the padded planes cannot be found.
    assert dice_with_clean > (0.95 if not lost.any() else 0.8) or warnings


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_much_padding_is_told(share: float) -> None:
    array = sitk.GetArrayFromImage(sample()).astype(np.int16)
    array[: int(share * len(array))] = -32768
    assert any("hold padding" in warning for warning in agreement(array)[1])


@settings(max_examples=8, deadline=None)
@given(
    place=st.tuples(st.integers(0, 35), st.integers(0, 45), st.integers(0, 30)),
    size=st.floats(6, 300),
    negative=st.booleans(),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (0.8, 0.8, 0.8)]),
)
def test_a_single_spike_changes_nothing(
    place: tuple[int, int, int], size: float, negative: bool, spacing: tuple[float, float, float]
) -> None:
    array = sitk.GetArrayFromImage(sample()).astype(np.float64)
    place = tuple(min(number, length - 1) for number, length in zip(place, array.shape, strict=True))
    array[place] = (-1 if negative else 1) * 10.0**size
    assert agreement(array, spacing)[0] > 0.98


def test_what_surrounds_a_cut_out_body_stays_darker_than_it() -> None:
    """As in volumes with zeros there, which models know; its own value must not matter."""
    body = smooth_noise((24, 24, 24)) + 300
    outside = np.ones(body.shape, dtype=bool)
    outside[6:18, 4:20, 5:19] = False
    prepared = []
    for value in (-1e4, -1e6, 1e5):
        array = np.where(outside, np.float32(value), body)
        prepared.append(prepare_volume([make_image(array)], stub_card(normalization=ZSCORE).input))
    for one in prepared:
        assert one.array[0][outside].max() < one.array[0][~outside].min() + 0.5
        assert one.array == pytest.approx(prepared[0].array, abs=1e-3)
        assert "hold padding" in one.notes[0]


def test_zeros_around_a_cut_out_body_are_left_alone() -> None:
    array = smooth_noise((24, 24, 24)) / 20 + 300
    array[:, :8], array[:, 16:] = 0, 0
    assert repaired(array, ZSCORE).array is array


@pytest.mark.parametrize("kind", [ZSCORE, WINDOW, IDENTITY_WINDOW], ids=["z-score", "window", "identity"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_a_sound_volume_is_not_even_copied(kind: dict[str, object], dtype: type) -> None:
    array = np.clip(smooth_noise((20, 20, 20)), 0, 255).astype(dtype)
    assert repaired(array, kind).array is array
    ct = sitk.GetArrayFromImage(ct_body(NECK + HEAD))
    assert repaired(ct, kind).array is ct


@pytest.mark.parametrize("padding", [-2000, -3024])
def test_the_usual_padding_of_a_ct_is_left_to_the_window(padding: int) -> None:
    array = sitk.GetArrayFromImage(ct_body(NECK + HEAD))
    array[:, :8] = padding
    assert repaired(array, WINDOW).array is array


@pytest.mark.parametrize("padding", [-32768, 32767])
def test_other_padding_of_a_ct_becomes_air(padding: int) -> None:
    clean = ct_body(NECK + HEAD)
    array = sitk.GetArrayFromImage(clean)
    array[:, :8] = padding
    card = stub_card(normalization=WINDOW, spacing_mm=[4.0, 4.0, 4.0]).input
    np.testing.assert_allclose(prepare(with_values(clean, array), card)[0], prepare(clean, card)[0], atol=1e-4)


def test_air_around_a_cleared_body_is_no_padding_but_a_bright_plateau_is() -> None:
    body = np.random.default_rng(0).normal(20, 40, (20, 20, 20))
    body[:6] = -1000
    assert measured_values(sample_of(body)).paddings == ()
    body[:6] = 1000
    assert measured_values(sample_of(body)).paddings == (1000.0,)


def test_metal_that_saturates_is_no_padding() -> None:
    array = sitk.GetArrayFromImage(ct_body(NECK + HEAD))
    array[10:16, 60:72, 60:72] = 3071
    assert (array == 3071).mean() > 0.0005
    assert repaired(array, WINDOW).array is array


def test_what_counts_as_air_moves_with_the_scale() -> None:
    array = smooth_noise((16, 16, 16)).astype(np.float64)
    spec = stub_card(normalization=ZSCORE, background_value=100.0).input
    tiny = stub_card(normalization=ZSCORE, background_value=100.0e-20).input
    bodies = [prepare_volume([make_image(array * 1e-20)], tiny).body, prepare_volume([make_image(array)], spec).body]
    assert bodies[0] is not None and bodies[1] is not None
    assert (bodies[0] == bodies[1]).mean() > 0.999 and 0 < bodies[0].mean() < 1


def test_a_value_amid_all_others_that_far_too_many_voxels_have_is_seen() -> None:
    """A brain that was cut out after its values had been normalised: what surrounds it looks like tissue."""
    array = smooth_noise((30, 30, 30)) - 100
    values = sample_of(array)
    assert plateau_amid(values, measured_values(values)) is None
    array[:8] = 0
    values = sample_of(array)
    found = plateau_amid(values, measured_values(values))
    assert found is not None and found == (0.0, pytest.approx(8 / 30, abs=1e-3))


def test_the_bright_end_of_a_clipped_volume_is_no_padding() -> None:
    array = np.clip(np.random.default_rng(0).exponential(300, (30, 30, 30)), 0, 1500)
    assert measured_values(sample_of(array)).paddings == ()


@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e15])
def test_the_normalisation_alone_does_not_depend_on_the_scale(factor: float) -> None:
    volume = smooth_noise((12, 12, 12))
    expected, scaled = volume.copy(), volume * np.float32(factor)
    normalize(expected, ZSCORE)
    normalize(scaled, ZSCORE)
    assert scaled == pytest.approx(expected, abs=1e-3)
