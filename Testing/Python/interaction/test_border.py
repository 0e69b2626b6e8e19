"""The border of a segment moves with a stroke, beside the stroke and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from LightMedSegLib.core.geometry import Grid, region_of
from LightMedSegLib.interaction import border
from LightMedSegLib.interaction.border import moved_border, stroke_radius
from LightMedSegLib.interaction.strokes import Stroke

PLACE = (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1)
GRID = Grid((60, 60, 60), (1.0, 1.0, 1.0), *PLACE)
FLAT = np.zeros((60, 60, 60), dtype=bool)
FLAT[:, :, :20] = True
GREY = np.zeros(FLAT.shape, dtype=np.int16)


def beyond(mask: np.ndarray, x: int, radius: float = 5.0, grid: Grid = GRID) -> Stroke:
    """A ball around the middle of the border, cut to what it adds to mask."""
    ball = Stroke.ball(True, (x, 30, 30), radius, grid)
    return replace(ball, voxels=ball.voxels & ~mask[region_of(ball.box)]).cropped()


def whole(stroke: Stroke) -> np.ndarray:
    """The stroke as a mask of the grid."""
    mask = np.zeros_like(FLAT)
    mask[region_of(stroke.box)] = stroke.voxels
    return mask


def after(mask: np.ndarray, stroke: Stroke, grid: Grid = GRID, made: bool = False) -> np.ndarray:
    """The mask and what moves with the stroke."""
    found = moved_border(GREY[: len(mask)], mask, stroke, grid, made)
    result = mask.copy()
    result[region_of(found.box)][found.voxels] = stroke.include
    return result


def test_a_painted_stroke_takes_its_neighbourhood_along_less_with_distance() -> None:
    stroke = beyond(FLAT, 19, 4)
    moved = after(FLAT, stroke) | whole(stroke)
    heights = [int(moved[30, y].sum()) - 20 for y in range(60)]
    assert heights[30] == 4 and heights[37] >= 1
    assert heights[:31] == sorted(heights[:31]) and heights[30:] == sorted(heights[30:], reverse=True)
    assert heights[10] == heights[50] == 0
    assert moved[FLAT].all()


def test_an_erased_stroke_is_its_mirror_image() -> None:
    stroke = beyond(FLAT, 19, 4)
    erased = replace(stroke, include=False)
    np.testing.assert_array_equal(after(~FLAT, erased), ~after(FLAT, stroke))


def test_a_stroke_that_is_in_the_segment_already_moves_the_border_too() -> None:
    stroke = beyond(FLAT, 19, 4)
    painted = FLAT.copy()
    painted[region_of(stroke.box)] |= stroke.voxels
    np.testing.assert_array_equal(after(painted, stroke, made=True), after(FLAT, stroke) | painted)
    erased = after(~painted, replace(stroke, include=False), made=True)
    np.testing.assert_array_equal(erased, ~(after(FLAT, stroke) | painted))


def test_a_stroke_that_changes_nothing_moves_nothing() -> None:
    inside = Stroke.ball(True, (14, 30, 30), 4, GRID)
    assert (after(FLAT, inside) == FLAT).all() and (after(~FLAT, replace(inside, include=False)) == ~FLAT).all()


def test_an_erased_slice_or_leak_takes_nothing_of_the_rest() -> None:
    organ, leak = (whole(Stroke.ball(True, (x, 30, 30), r, GRID)) for x, r in ((25, 10), (41, 8)))
    part = np.zeros_like(organ)
    part[30] = organ[30]
    for mask, gone in ((organ, part), (organ | leak, leak & ~organ)):
        erased = Stroke(False, ((0, 60), (0, 60), (0, 60)), gone).cropped()
        assert (mask & ~gone & ~after(mask, erased)).sum() < 0.02 * organ.sum()


def test_a_stroke_that_erases_the_side_of_a_thin_tube_leaves_the_tube() -> None:
    tube = whole(Stroke.line(True, [(30, 30, 2), (30, 30, 57)], 2.5, GRID))
    ball = Stroke.ball(False, (33, 30, 30), 2, GRID)
    side = replace(ball, voxels=ball.voxels & tube[region_of(ball.box)]).cropped()
    gone = tube & ~after(tube, side) & ~whole(side)
    assert 0 < gone.sum() < 3 * side.voxels.sum() and not gone[:, 30, :31].any()


def test_a_painted_branch_stays_as_thick_as_it_was_painted() -> None:
    organ = whole(Stroke.ball(True, (20, 30, 30), 8, GRID))
    branch = Stroke.line(True, [(27, 30, 30), (45, 30, 30), (45, 48, 30), (30, 48, 30)], 2, GRID)
    drawn = whole(branch) & ~organ
    grown = after(organ, Stroke(True, ((0, 60), (0, 60), (0, 60)), drawn).cropped())
    assert (grown & ~organ & ~drawn).sum() < 0.1 * drawn.sum()


def test_a_broad_flat_stroke_moves_the_border_only_around_its_rim() -> None:
    """Filling the next slice of a large organ must not make the whole organ thicker."""
    block = np.zeros(FLAT.shape, dtype=bool)
    block[5:40, 10:50, 10:50] = True
    layer = Stroke(True, ((10, 50), (10, 50), (40, 42)), np.ones((2, 40, 40), dtype=bool))
    moved = after(block, layer) & ~block
    assert moved[40, 12:48, 12:48].all()
    assert not moved[:25].any() and not moved[44:].any()


def test_of_a_stroke_that_reaches_out_only_what_looks_like_it_follows() -> None:
    stroke = Stroke.line(True, [(20, 30, 30), (31, 30, 30)], 2, GRID)
    grey = GREY.copy()
    grey[:, :28] = 100
    dark = moved_border(100 - grey, FLAT, stroke, GRID)
    even = moved_border(GREY, FLAT, stroke, GRID)
    place = region_of(dark.box)
    assert dark.voxels.any() and not dark.suffices
    assert not dark.voxels[grey[place] == 100].any() and even.voxels[grey[place] == 100].any()


def test_a_hollow_beside_a_stroke_fills_before_a_plain_border_rises() -> None:
    hollow = np.zeros_like(FLAT)
    hollow[20:40, 34:36, 19] = True
    stroke = beyond(FLAT, 19, 2)
    assert not after(FLAT, stroke)[30, 35, 20]
    assert after(FLAT & ~hollow, stroke)[30, 34:36, 19].all()


def test_a_border_moves_farther_where_it_looks_like_the_stroke() -> None:
    stroke = beyond(FLAT, 19, 4)
    grey = np.full(FLAT.shape, 50, dtype=np.int16)
    grey[:, :, 24:] = grey[:, 34:] = 0
    found = moved_border(grey, FLAT, stroke, GRID)
    moved = np.zeros_like(FLAT)
    moved[region_of(found.box)] = found.voxels
    assert moved[:, :27].sum() > 2 * moved[:, 34:].sum()


def test_no_voxel_follows_deeper_than_the_stroke_nor_farther_than_its_reach() -> None:
    stroke = beyond(FLAT, 19, 4)
    grey = GREY.copy()
    grey[:, :, 24:] = 100
    moved = after(FLAT, stroke) & ~FLAT
    like = moved_border(grey, FLAT, stroke, GRID)
    bright = np.zeros_like(FLAT)
    bright[region_of(like.box)] = like.voxels
    depth = np.argwhere(whole(stroke)).max(axis=0)[2]
    for one in (moved, bright):
        places = np.argwhere(one)
        assert places[:, 2].max() <= depth
        assert np.linalg.norm(places[:, :2] - 30, axis=1).max() <= 4 + 2 * 2.5 * stroke_radius(stroke, GRID) + 1


def test_values_that_are_no_numbers_count_neither_way() -> None:
    stroke = beyond(FLAT, 19, 4)
    grey = GREY.astype(np.float32)
    grey[30, 33] = np.nan
    grey[28, :, 25:] = np.inf
    np.testing.assert_array_equal(
        moved_border(grey, FLAT, stroke, GRID).voxels, moved_border(GREY, FLAT, stroke, GRID).voxels
    )


def test_a_stroke_far_from_the_border_moves_nothing() -> None:
    stroke = Stroke.ball(True, (40, 30, 30), 3, GRID)
    found = moved_border(GREY, FLAT, stroke, GRID)
    assert not found.voxels.any() and not found.suffices


def test_where_the_whole_reach_is_too_large_the_border_moves_in_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stroke = beyond(FLAT, 19, 4)
    whole_reach = moved_border(GREY, FLAT, stroke, GRID).voxels
    monkeypatch.setattr(border, "MOST_VOXELS", whole_reach.size - 1)
    part = moved_border(GREY, FLAT, stroke, GRID)
    assert part.suffices and part.voxels.any() and part.voxels.size < whole_reach.size


def test_an_empty_segment_has_no_border_to_move() -> None:
    found = moved_border(GREY, np.zeros_like(FLAT), beyond(FLAT, 19), GRID)
    assert not found.voxels.any() and not found.suffices


def test_a_stroke_at_the_border_suffices_and_one_that_reaches_out_does_not() -> None:
    assert moved_border(GREY, FLAT, beyond(FLAT, 19), GRID).suffices
    assert not moved_border(GREY, FLAT, Stroke.line(True, [(18, 30, 30), (30, 30, 30)], 2, GRID), GRID).suffices


def test_a_disc_in_one_slice_reaches_the_slices_beside_it() -> None:
    stroke = beyond(FLAT, 19, 5)
    stroke = Stroke(True, (*stroke.box[:2], (30, 31)), stroke.voxels[30 - stroke.box[2][0]][None])
    moved = after(FLAT, stroke)
    assert (moved & ~FLAT)[[27, 33]].any(axis=(1, 2)).all()
    assert not (moved & ~FLAT)[[5, 55]].any()


def test_lengths_are_millimetres() -> None:
    thick = Grid((60, 60, 12), (1.0, 1.0, 5.0), *PLACE)
    mask = FLAT[::5]
    ball = Stroke.ball(True, (19, 30, 6), 5, thick)
    stroke = replace(ball, voxels=ball.voxels & ~mask[region_of(ball.box)]).cropped()
    moved = (after(mask, stroke, thick) & ~mask).any(axis=(1, 2))
    assert moved[[5, 7]].all() and not moved[[0, 11]].any()


@pytest.mark.parametrize(
    ("voxels", "radius"), [((1, 9, 9), 5.2), ((9, 9, 9), 5.2), ((1, 1, 40), 0.6), ((1, 1, 1), 0.6)]
)
def test_the_radius_of_a_stroke_is_that_across_its_length(voxels: tuple[int, int, int], radius: float) -> None:
    z, y, x = voxels
    assert stroke_radius(Stroke(True, ((0, x), (0, y), (0, z)), np.ones(voxels, dtype=bool)), GRID) == pytest.approx(
        radius, abs=0.1
    )


def test_shelter_counts_by_the_depth_of_the_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    thin = np.zeros_like(FLAT)
    thin[:, :, 14:20] = True
    stroke = beyond(FLAT, 19, 2.5)
    segments = {"SHELTER": FLAT, "THIN_SHELTER": thin}
    before = {name: moved_border(GREY, segment, stroke, GRID).voxels for name, segment in segments.items()}
    for name, segment in segments.items():
        for changed in segments:
            with monkeypatch.context() as patch:
                patch.setattr(border, changed, 0.0)
                found = moved_border(GREY, segment, stroke, GRID).voxels
            assert np.array_equal(found, before[name]) == (changed != name)
