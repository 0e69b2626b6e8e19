"""The way between a volume's lattice and the model's."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import make_image, reordered, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import (
    SLICES,
    AxisMap,
    Grid,
    bounding_box,
    clip_box,
    grow_box,
    map_to_model_grid,
    orient_axes,
)

ORDERS = [(p, f) for p in permutations(range(3)) for f in product((False, True), repeat=3)]
CODES = ["LPS", "RAS", "PIR", "ASL", "SAR"]


def counted_image(direction: np.ndarray | None = None) -> sitk.Image:
    return make_image(np.arange(4 * 5 * 6).reshape(4, 5, 6), (0.7, 1.1, 2.5), (10, -20, 30), direction)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("angles", [(0, 0, 0), (12, -20, 31)])
def test_orienting_does_what_simpleitk_does(code: str, angles: tuple[float, float, float]) -> None:
    base = counted_image(rotation(angles))
    for permutation, flips in ORDERS:
        image = reordered(base, permutation, flips)
        expected = sitk.DICOMOrient(image, code)
        grid_map = map_to_model_grid(Grid.of(image), expected.GetSpacing(), code)
        assert np.array_equal(grid_map.order.to_model(sitk.GetArrayFromImage(image)), sitk.GetArrayFromImage(expected))
        assert grid_map.model.size == expected.GetSize()
        assert grid_map.model.spacing == expected.GetSpacing()
        assert np.allclose(grid_map.model.origin, expected.GetOrigin())
        assert np.allclose(grid_map.model.direction, expected.GetDirection())


def test_a_volume_at_45_degrees_is_oriented_alike_however_it_is_stored() -> None:
    base = counted_image(rotation((0, 0, 45)))
    oriented = []
    for permutation, flips in ORDERS:
        image = reordered(base, permutation, flips)
        grid_map = map_to_model_grid(Grid.of(image), (1, 1, 1), "LPS")
        oriented.append(np.round((*grid_map.model.direction, *grid_map.model.origin), 6))
    assert np.ptp(oriented, axis=0).max() == 0


def test_slices_are_seen_as_they_were_acquired_whichever_way_they_lie() -> None:
    base = counted_image(rotation((40, -35, 50)))
    for permutation, _ in ORDERS:
        image = reordered(base, permutation, (False, False, False))
        axes = permutation.index(2)
        model = map_to_model_grid(Grid.of(image), (0.7, 1.1, 2.5), SLICES).model
        direction = np.reshape(image.GetDirection(), (3, 3))
        assert image.GetSpacing()[axes] == 2.5
        assert np.allclose(np.reshape(model.direction, (3, 3))[:, 2], direction[:, axes])
    array = sitk.GetArrayFromImage(base)
    assert np.array_equal(map_to_model_grid(Grid.of(base), (0.7, 1.1, 2.5), SLICES).order.to_model(array), array)


def test_where_no_voxel_is_longer_the_last_axis_runs_across_the_slices() -> None:
    alike = make_image(np.zeros((4, 5, 6)), (1.0, 1.0, 0.999), (0, 0, 0))
    assert map_to_model_grid(Grid.of(alike), (1, 1, 1), SLICES).model.size == (6, 5, 4)


def test_an_orientation_without_three_different_axes_is_refused() -> None:
    with pytest.raises(ValueError, match="LPR"):
        orient_axes((1, 0, 0, 0, 1, 0, 0, 0, 1), "LPR")


@settings(deadline=None)
@given(
    length=st.integers(1, 600), spacing=st.floats(0.1, 10), model_spacing=st.floats(0.2, 5), start=st.integers(0, 50)
)
def test_model_and_volume_axes_share_their_middle_and_nearly_their_ends(
    length: int, spacing: float, model_spacing: float, start: int
) -> None:
    axis = AxisMap.between(start, length, spacing, model_spacing)
    middle = start + (length - 1) / 2
    assert axis.to_model(np.array([middle]))[0] == pytest.approx((axis.model_length - 1) / 2)
    index = np.array([start, start + length - 1, start - 3.5])
    assert axis.to_volume(axis.to_model(index)) == pytest.approx(index, abs=1e-6)
    if axis.model_length > 1:
        extent = length * spacing
        assert abs(axis.model_length * axis.model_spacing - extent) <= axis.model_spacing / 2 + 1e-6


@pytest.mark.parametrize(("spacing", "kept"), [(1.0, True), (1.009, True), (0.992, True), (1.02, False), (0.97, False)])
def test_an_axis_within_one_percent_of_the_models_spacing_is_not_resampled(spacing: float, kept: bool) -> None:
    axis = AxisMap.between(0, 200, spacing, 1.0)
    assert axis.identity is kept
    assert (axis.model_spacing == spacing) is kept


def test_the_model_grid_lies_where_its_voxels_were_sampled() -> None:
    image = counted_image(rotation((5, 10, 20)))
    for permutation, flips in ORDERS[::5]:
        stored = reordered(image, permutation, flips)
        grid_map = map_to_model_grid(Grid.of(stored), (1.0, 1.5, 2.0), "RAS")
        whole = tuple((0, size) for size in stored.GetSize())
        positions = grid_map.positions(whole)
        # Voxel (1, 2, 2) of the turned array, found both ways: through the model grid and through the volume.
        turned = grid_map.order.to_model(sitk.GetArrayFromImage(stored))
        inner = tuple(size // 2 for size in turned.shape)
        k, j, i = np.argwhere(sitk.GetArrayFromImage(stored) == turned[inner])[0]
        model_index = tuple(float(positions[d][inner[d]]) for d in (2, 1, 0))
        expected = stored.TransformIndexToPhysicalPoint((int(i), int(j), int(k)))
        assert grid_map.model.point(model_index) == pytest.approx(expected, abs=1e-6)


def test_positions_rise_and_stay_within_the_model_grid() -> None:
    grid_map = map_to_model_grid(Grid.of(counted_image()), (3.1, 0.4, 1.3), "ASL")
    for position, length in zip(grid_map.positions(((1, 6), (0, 5), (0, 3))), grid_map.model.shape, strict=True):
        assert (np.diff(position) >= 0).all()
        assert position.min() >= 0
        assert position.max() <= length - 1


def test_an_absurd_extent_is_refused_with_the_extent() -> None:
    grid = Grid((512, 512, 300), (800.0, 800.0, 1000.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    with pytest.raises(InputImageError, match="409600 x 409600 x 300000 mm"):
        map_to_model_grid(grid, (1, 1, 1), "LPS")


def test_a_box_is_cut_to_the_volume_and_an_empty_one_refused() -> None:
    grid = Grid.of(counted_image())
    assert clip_box(((-3, 4), (2, 99), (0, 4)), grid) == ((0, 4), (2, 5), (0, 4))
    for box in (((6, 9), (0, 5), (0, 4)), ((2, 2), (0, 5), (0, 4)), ((0, 6), (4, 1), (0, 4))):
        with pytest.raises(InputImageError, match="region of interest"):
            clip_box(box, grid)


def test_a_box_grows_by_millimetres_not_by_voxels() -> None:
    grid = Grid((100, 100, 100), (0.5, 1.0, 4.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert grow_box(((50, 60), (50, 60), (1, 60)), 8.0, grid) == ((34, 76), (42, 68), (0, 62))


def test_grids_are_the_same_while_no_voxel_is_a_tenth_of_a_voxel_away() -> None:
    grid = Grid((512, 512, 100), (0.7, 0.7, 2.5), (-180.0, -160.0, 900.0), tuple(np.eye(3).ravel().tolist()))
    assert grid.same_as(grid)
    assert grid.same_as(replace(grid, origin=(-180.05, -160.0, 900.0)))
    assert not grid.same_as(replace(grid, origin=(-180.1, -160.0, 900.0)))
    assert not grid.same_as(replace(grid, size=(512, 512, 99)))
    # What a header loses of the spacing counts for every voxel: a thousandth of a millimetre is half a voxel away.
    assert grid.same_as(replace(grid, spacing=(0.70001, 0.7, 2.5)))
    assert not grid.same_as(replace(grid, spacing=(0.701, 0.7, 2.5)))
    assert not replace(grid, size=(512, 512, 1)).same_as(replace(grid, size=(512, 512, 1), spacing=(0.7, 0.7, 5.0)))
    turned = [[1, -0.001, 0], [0.001, 1, 0], [0, 0, 1]]
    assert not grid.same_as(replace(grid, direction=tuple(np.ravel(turned).tolist())))
    written = np.float32(np.eye(3) + 1e-7).astype(float)
    assert grid.same_as(replace(grid, direction=tuple(written.ravel().tolist())))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_the_bounding_box_is_the_smallest_part_that_holds_everything(dtype: type) -> None:
    values = np.zeros((9, 7, 8), dtype)
    assert bounding_box(values) == (slice(0, 0),) * 3 and values[bounding_box(values)].size == 0
    assert bounding_box(values[:0]) == (slice(0, 0),) * 3
    values[3, 2, 4] = values[5, 6, 1] = 1
    assert bounding_box(values) == (slice(3, 6), slice(2, 7), slice(1, 5))
    assert bounding_box(values.transpose(2, 0, 1)[::-1]) == (slice(3, 7), slice(3, 6), slice(2, 7))
