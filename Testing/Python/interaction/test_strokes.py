"""Strokes: balls, tubes and differences as voxels."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from correction_bench import ball_volume

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid, region_of
from LightMedSegLib.interaction.strokes import Change, Stroke

GRID = Grid.of(ball_volume(spacing=(1.0, 2.0, 4.0)))


def places(stroke: Stroke) -> set[tuple[int, int, int]]:
    """The indices (x, y, z) of a stroke's voxels."""
    offset = [first for first, _ in reversed(stroke.box)]
    return {(int(x), int(y), int(z)) for z, y, x in np.argwhere(stroke.voxels) + offset}


def test_a_ball_has_its_radius_in_millimetres_on_every_axis() -> None:
    stroke = Stroke.ball(True, (20, 20, 10), 4.0, GRID)
    assert stroke.box == ((16, 25), (18, 23), (9, 12))
    assert {(24, 20, 10), (20, 22, 10), (20, 20, 11)} <= places(stroke)
    assert (24, 22, 10) not in places(stroke)


def test_the_smallest_ball_is_the_nearest_voxel() -> None:
    assert places(Stroke.ball(False, (3.4, 5.6, 7.0), 0.0, GRID)) == {(3, 6, 7)}


def test_a_ball_is_cut_at_the_borders_of_the_volume() -> None:
    stroke = Stroke.ball(True, (0, 39, 31), 3.0, GRID)
    assert stroke.box == ((0, 4), (38, 40), (31, 32))


def test_a_line_marks_the_voxels_between_its_points() -> None:
    stroke = Stroke.line(True, [(2, 3, 4), (9, 3, 4), (9, 8, 4)], 0.5, GRID)
    assert places(stroke) == {(x, 3, 4) for x in range(2, 10)} | {(9, y, 4) for y in range(3, 9)}


@pytest.mark.parametrize("index", [(-1, 5, 5), (5, 40, 5), (5, 5, 31.6)])
def test_a_point_outside_the_volume_is_refused(index: tuple[float, float, float]) -> None:
    with pytest.raises(InputImageError, match="outside the volume of 48 x 40 x 32 voxels"):
        Stroke.ball(True, index, 2.0, GRID)


def test_a_difference_gives_what_was_painted_and_what_was_erased() -> None:
    before, after = np.zeros((2, 4, 5, 6), dtype=bool)
    before[1, 1:3, 1:3] = True
    after[1, 2:4, 2:4] = True
    painted, erased = Stroke.difference(before, after, ((10, 16), (20, 25), (30, 34)))
    assert painted.include and not erased.include
    assert places(painted) == {(13, 22, 31), (12, 23, 31), (13, 23, 31)}
    assert places(erased) == {(11, 21, 31), (12, 21, 31), (11, 22, 31)}
    assert painted.box == ((12, 14), (22, 24), (31, 32))


def test_equal_masks_are_no_stroke() -> None:
    same = np.ones((2, 2, 2), dtype=bool)
    assert Stroke.difference(same, same, ((0, 2), (0, 2), (0, 2))) == []


def test_voxels_of_another_size_than_the_box_are_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="does not fit its box"):
        Stroke(True, ((0, 2), (0, 2), (0, 3)), np.ones((2, 2, 2), dtype=bool))


def test_a_change_over_a_mask_is_seen_wherever_it_lies() -> None:
    mask = np.zeros((8, 9, 10), dtype=bool)
    change = Change(((2, 5), (3, 6), (4, 7)), np.zeros((3, 3, 3), dtype=bool), np.ones((3, 3, 3), dtype=bool))
    whole = mask.copy()
    whole[region_of(change.box)] = True
    for region in (np.s_[0:8, 0:9, 0:10], np.s_[5:8:2, 2:5, 0:9:3], np.s_[0:3, 0:3, 0:2], np.s_[4:5, 3:4, 2:3]):
        assert np.array_equal(change.over(mask, region), whole[region])
    assert not mask.any()


def test_a_thin_oblique_line_has_no_gaps() -> None:
    grid = Grid.of(sitk.Image(40, 40, 40, sitk.sitkUInt8))
    stroke = Stroke.line(True, [(10, 10, 10), (20, 17, 13)], 0.0, grid)
    assert stroke.voxels.sum() >= 11
    pieces = sitk.ConnectedComponentImageFilter()
    pieces.SetFullyConnected(True)
    pieces.Execute(sitk.GetImageFromArray(stroke.voxels.astype(np.uint8)))
    assert pieces.GetObjectCount() == 1


@pytest.mark.parametrize(("points", "radius"), [([], 1.0), ([(5, 5, 5)], -1.0), ([(5, 5, 5)], float("nan"))])
def test_impossible_lines_are_refused(points: list[tuple[int, int, int]], radius: float) -> None:
    grid = Grid.of(sitk.Image(10, 10, 10, sitk.sitkUInt8))
    with pytest.raises(InputImageError, match=r"no points|is not possible"):
        Stroke.line(True, points, radius, grid)
