"""The window: what it samples, the way back to the volume, prompts in it, and which window a stroke needs."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from correction_bench import ball_mask, ball_volume

from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.interaction.prompt_channels import prompt_channels
from LightMedSegLib.interaction.prompt_values import DECAY, OLDEST, POINT_RADIUS
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.interaction.window import Window
from LightMedSegLib.interaction.zoom import (
    COARSER,
    MUCH_COARSER,
    coarser_window,
    finer_window,
    first_window,
    part_beside,
)

GRID = Grid.of(ball_volume())


def linear(grid: Grid) -> np.ndarray:
    """Intensities that rise evenly along every axis."""
    z, y, x = np.indices(grid.shape)
    return (x * grid.spacing[0] + 10 * y * grid.spacing[1] + 100 * z * grid.spacing[2]).astype(np.float32)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 0.7, 2.0)])
@pytest.mark.parametrize("fine", [1.0, 1.7])
def test_a_window_samples_linearly_at_its_positions(spacing: tuple[float, float, float], fine: float) -> None:
    grid = Grid((64, 60, 40), spacing, (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    window = Window(grid, (31.3, 29.8, 19.5), fine * min(spacing), 16)
    x, y, z = (window.positions(axis) * mm for axis, mm in enumerate(spacing))
    expected = x[None, None] + 10 * y[None, :, None] + 100 * z[:, None, None]
    assert np.allclose(window.image(linear(grid)), expected, atol=0.02)


@pytest.mark.parametrize("ratio", [2.7, 4.0, 6.5])
def test_a_coarse_window_averages_and_stays_in_place(ratio: float) -> None:
    grid = Grid((120, 120, 120), (1.0, 1.0, 1.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    window = Window(grid, (59.5, 59.5, 59.5), ratio, 8)
    found = window.image(linear(grid))
    x, y, z = (window.positions(axis) for axis in range(3))
    expected = x[None, None] + 10 * y[None, :, None] + 100 * z[:, None, None]
    assert np.abs(found - expected)[2:-2, 2:-2, 2:-2].max() < 0.6 * 111
    noise = np.random.default_rng(0).normal(0, 1, grid.shape).astype(np.float32)
    assert window.image(noise).std() < 0.6


def test_outside_the_volume_there_is_its_smallest_value_and_no_mask() -> None:
    volume = linear(GRID) + 50
    window = Window(GRID, (0.0, 0.0, 0.0), 1.0, 32)
    image, mask = window.image(volume), window.mask(lambda region: np.ones(GRID.shape, dtype=bool)[region])
    inside = np.zeros(image.shape, dtype=bool)
    inside[window.inside] = True
    assert (image[~inside] == image[inside].min()).all() and image[inside].min() >= 50
    assert (mask[inside] == 1).all() and (mask[~inside] == 0).all()


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.6, 0.6, 2.5)])
def test_a_mask_survives_the_way_to_a_window_and_back(spacing: tuple[float, float, float]) -> None:
    grid = Grid.of(ball_volume(spacing=spacing))
    window = Window(grid, (24, 20, 16), min(spacing), 96)
    there = window.mask(lambda region: ball_mask()[region])
    x, y, z = window.box
    back = window.to_volume(there, window.box) > 0.5
    expected = ball_mask()[z[0] : z[1], y[0] : y[1], x[0] : x[1]]
    assert (back != expected).sum() <= 0.02 * ball_mask().sum()


def test_boxes_of_a_window_hold_the_voxels_that_it_covers() -> None:
    window = Window(GRID, (24, 20, 16), 1.0, 8)
    assert window.box == ((20, 28), (16, 24), (12, 20))
    assert window.box_of((slice(0, 1), slice(7, 8), slice(2, 4))) == ((22, 24), (23, 24), (12, 13))
    assert Window(GRID, (0, 39, 31), 1.0, 8).box == ((0, 4), (35, 40), (27, 32))


def test_a_point_is_a_ball_and_newer_strokes_are_stronger() -> None:
    window = Window(GRID, (23.5, 19.5, 15.5), 1.0, 32)
    strokes = [Stroke.ball(True, (20 + n, 20, 16), 0.0, GRID) for n in (0, 5)]
    include, exclude = prompt_channels([strokes[0], *[strokes[1]] * 2], window)
    places = np.argwhere(include == 1)
    assert len(places) == 33 and np.array_equal(places.mean(axis=0), [16, 16, 17])
    assert include[16, 16, 12] == pytest.approx(DECAY**2) and not exclude.any()
    include, _ = prompt_channels([strokes[0], *[strokes[1]] * 20], window)
    assert include[16, 16, 12] == pytest.approx(OLDEST)
    assert POINT_RADIUS == 2


def test_a_newer_stroke_takes_voxels_of_the_other_kind() -> None:
    window = Window(GRID, (23.5, 19.5, 15.5), 1.0, 32)
    strokes = [Stroke.ball(include, (20, 20, 16), 3.0, GRID) for include in (True, False)]
    include, exclude = prompt_channels(strokes, window)
    assert not include.any() and (exclude == 1).sum() == strokes[0].voxels.sum()


@pytest.mark.parametrize("ratio", [0.4, 1.0, 5.0])
def test_nothing_of_a_thin_stroke_is_lost_at_any_scale(ratio: float) -> None:
    window = Window(GRID, (24, 20, 16), ratio, 96)
    stroke = Stroke.line(True, [(14, 20, 16), (34, 20, 16)], 0.0, GRID)
    include, _ = prompt_channels([stroke], window)
    marked = np.flatnonzero(include.any(axis=(0, 1)))
    assert np.array_equal(marked, np.arange(marked[0], marked[-1] + 1))
    assert len(marked) == pytest.approx(21 / ratio, abs=2)


def test_a_stroke_in_one_thick_slice_has_its_thickness_in_a_fine_window() -> None:
    grid = Grid((30, 30, 10), (1.0, 1.0, 5.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    window = Window(grid, (15, 15, 5), 1.0, 32)
    stroke = Stroke.line(True, [(8, 15, 5), (20, 15, 5)], 0.0, grid)
    include, _ = prompt_channels([stroke], window)
    assert include.any(axis=(1, 2)).sum() in (5, 6)


def test_a_stroke_outside_the_window_is_not_in_it() -> None:
    include, exclude = prompt_channels([Stroke.ball(True, (2, 2, 2), 1.0, GRID)], Window(GRID, (40, 30, 25), 1.0, 8))
    assert not include.any() and not exclude.any()


def test_the_first_window_is_not_finer_than_the_volume_and_fits_the_object() -> None:
    empty = np.zeros(GRID.shape, dtype=bool)
    stroke = Stroke.ball(True, (24, 20, 16), 1.0, GRID)
    assert first_window(stroke, empty, GRID, 96).spacing == 1.0
    small = first_window(stroke, ball_mask(), GRID, 16)
    assert small.spacing * 16 >= 19 and np.allclose(small.centre, (24, 20, 16), atol=1)


def test_a_large_brush_is_for_a_large_object_and_a_cross_section_shows_its_size() -> None:
    grid = Grid((300, 300, 300), (1.0, 1.0, 1.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    empty = np.zeros(grid.shape, dtype=bool)
    ball = Stroke.ball(True, (150, 150, 150), 5.0, grid)
    assert first_window(ball, empty, grid, 96).spacing == pytest.approx(11 / 5)
    section = Stroke(True, ((120, 168), (130, 178), (150, 151)), np.ones((1, 48, 48), dtype=bool))
    assert first_window(section, empty, grid, 96).spacing == pytest.approx(48 / 24)
    huge = Stroke.ball(True, (150, 150, 150), 60.0, grid)
    assert first_window(huge, empty, grid, 96).spacing * 96 < 400


def test_only_the_part_of_the_mask_beside_the_stroke_counts() -> None:
    mask = ball_mask()
    mask[28:31, 35:39, 44:47] = True
    found = part_beside(Stroke.ball(True, (14, 20, 16), 0.0, GRID), mask, GRID, 16)
    assert found is not None and np.allclose(found, ((15, 34), (11, 30), (7, 26)), atol=2)
    assert part_beside(Stroke.ball(True, (4, 4, 4), 0.0, GRID), mask, GRID, 16) is None


def test_a_part_that_is_larger_than_a_look_is_found_with_fewer_voxels() -> None:
    grid = Grid((300, 40, 40), (1.0, 1.0, 1.0), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    mask = np.zeros(grid.shape, dtype=bool)
    mask[10:30, 10:30, 20:280] = True
    x, y, z = part_beside(Stroke.ball(True, (150, 20, 20), 0.0, grid), mask, grid, 96) or ((0, 0),) * 3
    assert abs(x[0] - 20) < 8 and abs(x[1] - 280) < 8 and y[0] <= 10 + 4 and y[1] >= 30 - 4 and z[1] - z[0] >= 16


def test_a_window_grows_only_where_the_object_is_cut_inside_the_volume() -> None:
    window = Window(GRID, (8, 20, 16), 1.0, 16)
    inside = (slice(2, 14), slice(2, 14), slice(2, 14))
    assert coarser_window(window, inside) is None
    cut = coarser_window(window, (slice(0, 14), slice(2, 14), slice(2, 14)))
    assert cut is not None and cut.spacing == COARSER
    cut = coarser_window(window, (slice(0, 16), slice(2, 14), slice(2, 14)))
    assert cut is not None and cut.spacing == MUCH_COARSER
    at_border = Window(GRID, (7.5, 20, 16), 1.0, 16)
    assert at_border.inside[2].start == 0
    whole = Window(Grid.of(sitk.Image(16, 16, 16, sitk.sitkUInt8)), (8, 8, 8), 1.0, 32)
    assert coarser_window(whole, whole.inside) is None


def test_a_coarse_window_is_followed_by_a_fine_one_around_the_stroke() -> None:
    stroke = Stroke.ball(True, (30, 20, 16), 1.0, GRID)
    fine = finer_window(Window(GRID, (8, 20, 16), 4.0, 96), stroke, 1.5)
    assert fine is not None and fine.spacing == 1.0 and fine.centre == (30.5, 20.5, 16.5)
    assert finer_window(Window(GRID, (8, 20, 16), 1.5, 96), stroke, 1.5) is None
    assert finer_window(Window(GRID, (8, 20, 16), 4.0, 2), stroke, 1.5) is not None
