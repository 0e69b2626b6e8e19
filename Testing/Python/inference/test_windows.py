"""Where windows lie and how they are weighted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LightMedSegLib.inference.sliding_window.windows import (
    SMALLEST_WEIGHT,
    Shape,
    WindowRule,
    gaussian_weights,
    nearest_ranges,
    padded_shape,
    padding_before,
    plan_layout,
    plan_windows,
    window_starts,
)


@settings(deadline=None)
@given(extra=st.integers(0, 300), patch=st.integers(1, 128), overlap=st.floats(0, 0.9))
def test_windows_reach_from_border_to_border_with_at_least_the_overlap(extra: int, patch: int, overlap: float) -> None:
    length = patch + extra
    starts = window_starts(length, patch, overlap)
    assert starts[0] == 0
    assert starts[-1] == length - patch
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert steps.size == 0 or steps.max() <= np.ceil(max(1.0, patch * (1 - overlap)))


def test_a_volume_of_the_patchs_size_has_one_window() -> None:
    assert plan_windows((32, 48, 64), (32, 48, 64), 0.5) == [(0, 0, 0)]


def test_a_volume_smaller_than_the_patch_must_be_padded_first() -> None:
    with pytest.raises(ValueError, match="pad the volume"):
        window_starts(31, 32, 0.5)


def test_half_overlap_places_windows_half_a_patch_apart() -> None:
    assert window_starts(96, 32, 0.5) == [0, 16, 32, 48, 64]
    assert window_starts(96, 32, 0.0) == [0, 32, 64]


def test_windows_come_in_the_order_of_their_planes() -> None:
    starts = plan_windows((64, 40, 48), (16, 16, 16), 0.5)
    assert starts == sorted(starts)


def test_windows_with_nothing_but_air_are_left_out_and_every_body_voxel_stays_covered() -> None:
    body = np.zeros((64, 64, 64), dtype=bool)
    body[20:30, 5:60, 40:44] = True
    kept = plan_windows(body.shape, (16, 16, 16), 0.5, body)
    assert 0 < len(kept) < len(plan_windows(body.shape, (16, 16, 16), 0.5))
    covered = np.zeros_like(body)
    for z, y, x in kept:
        window = body[z : z + 16, y : y + 16, x : x + 16]
        assert window.any()
        covered[z : z + 16, y : y + 16, x : x + 16] = True
    assert covered[body].all()
    assert plan_windows(body.shape, (16, 16, 16), 0.5, np.zeros_like(body)) == []


def test_weights_fall_from_the_middle_to_the_border_and_never_to_zero() -> None:
    weights = gaussian_weights((16, 24, 33))
    assert weights.shape == (16, 24, 33)
    assert weights.dtype == np.float32
    assert weights.max() == 1 and weights[8, 12, 16] == 1
    assert weights.min() == np.float32(SMALLEST_WEIGHT)
    assert (np.diff(weights[8, 12, 16:]) <= 0).all()
    assert weights == pytest.approx(weights[::-1, ::-1, ::-1])


def test_padding_reaches_the_patch_and_the_stride_and_is_split_evenly() -> None:
    assert padded_shape((10, 33, 64), (32, 32, 32), 16) == (32, 48, 64)
    assert padded_shape((10, 33, 64), (1, 1, 1), 1) == (10, 33, 64)
    assert padding_before((10, 33, 64), (32, 48, 64)) == (11, 7, 0)


@given(extra=st.integers(0, 60), patch=st.integers(2, 32), overlap=st.floats(0, 0.8))
def test_each_voxel_belongs_to_the_window_that_weighs_most_there(extra: int, patch: int, overlap: float) -> None:
    starts = window_starts(patch + extra, patch, overlap)
    ranges = nearest_ranges(starts, patch)
    assert [voxel for first, last in ranges for voxel in range(first, last)] == list(range(patch + extra))
    middles = np.array(starts) + (patch - 1) / 2
    for number, (first, last) in enumerate(ranges):
        for voxel in range(first, last):
            distances = np.abs(middles - voxel)
            assert distances[number] == distances.min()


def test_a_volume_smaller_than_its_window_lies_in_the_middle_of_the_padding() -> None:
    layout = plan_layout((9, 20, 16), WindowRule((16, 16, 16), 0.0))
    assert layout.shape == (16, 20, 16) and layout.margins == [(3, 4), (0, 0), (0, 0)]
    assert layout.inside == (slice(3, 12), slice(0, 20), slice(0, 16))
    assert layout.starts == [(0, 0, 0), (0, 4, 0)]


GROWING = WindowRule((64, 64, 64), 0.25, 16, largest=(80, 96, 64))


@pytest.mark.parametrize(
    ("shape", "window", "count"),
    [
        ((60, 64, 50), (64, 64, 64), 1),  # the patch spans it
        ((70, 90, 64), (80, 96, 64), 1),  # a larger window spans it
        ((70, 97, 64), (80, 64, 64), 2),  # along y none does: windows of the patch's length
        ((81, 64, 70), (64, 64, 64), 4),  # x may not grow
    ],
)
def test_a_window_grows_only_where_it_then_spans_the_volume(shape: Shape, window: Shape, count: int) -> None:
    layout = plan_layout(shape, GROWING)
    assert layout.window == window and len(layout.starts) == count
    assert all(size % GROWING.stride == 0 for size in layout.window)
    assert layout.single is (count == 1)
