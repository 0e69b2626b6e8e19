"""The doubtful places of small synthetic results."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import make_image, rotation

from LightMedSegLib.doubt.places import LARGEST_MM, Candidate, doubtful_places

NAMES = {1: "liver", 2: "spleen"}
SPACING = (1.0, 2.0, 1.5)


def result(*doubtful: tuple[tuple[slice, slice, slice], int]) -> tuple[sitk.Image, sitk.Image]:
    """Doubt with these levels in these parts, and labels: two boxes that touch, on an oblique grid."""
    values, levels = np.zeros((2, 30, 40, 50), dtype=np.uint8)
    values[5:25, 10:30, 5:25] = 1
    values[5:25, 10:30, 25:45] = 2
    for part, level in doubtful:
        levels[part] = level
    geometry = (SPACING, (-12.0, 30.0, 5.0), rotation((10, 20, 30)))
    return make_image(levels, *geometry), make_image(values, *geometry)


def box(i: tuple[int, int], j: tuple[int, int], k: tuple[int, int]) -> tuple[slice, slice, slice]:
    return slice(*k), slice(*j), slice(*i)


def test_a_place_tells_where_it_is_what_may_be_right_and_how_much_is_expected_to_be_wrong() -> None:
    doubt, labelmap = result((box((22, 25), (12, 17), (8, 11)), 255), (box((25, 26), (12, 17), (8, 11)), 102))
    first, second = doubtful_places(doubt, labelmap, NAMES)
    assert first.box == ((22, 25), (12, 17), (8, 11))
    assert first.center == pytest.approx(doubt.TransformIndexToPhysicalPoint((23, 14, 9)))
    assert first.structure == Candidate(1, "liver")
    assert first.candidates == (Candidate(1, "liver"), Candidate(2, "spleen"))
    assert first.mass == pytest.approx(3 * 5 * 3 / 2)
    assert second.candidates == (Candidate(2, "spleen"), Candidate(1, "liver"))
    assert second.mass == pytest.approx(5 * 3 / 2 * 0.4)
    assert first.share + second.share == pytest.approx(1)


def test_the_largest_place_comes_first_and_the_share_counts_doubt_that_is_in_no_place() -> None:
    small, large = box((7, 9), (12, 14), (8, 10)), box((30, 36), (12, 18), (8, 14))
    doubt, labelmap = result((small, 200), (large, 200), (box((40, 45), (20, 30), (8, 20)), 20))
    first, second = doubtful_places(doubt, labelmap, NAMES)
    assert (first.structure.name, second.structure.name) == ("spleen", "liver")
    assert first.share + second.share < 1
    assert doubtful_places(doubt, labelmap, NAMES, most=1) == (first,)


def test_doubt_on_both_sides_of_a_border_is_one_place_of_the_structure() -> None:
    doubt, labelmap = result((box((10, 14), (8, 12), (10, 14)), 180))
    (place,) = doubtful_places(doubt, labelmap, NAMES)
    assert place.structure.name == "liver"
    assert {candidate.name for candidate in place.candidates} == {"liver", "background"}


def test_doubt_far_from_every_structure_is_a_place_of_the_background() -> None:
    doubt, labelmap = result((box((10, 14), (34, 38), (10, 14)), 180))
    (place,) = doubtful_places(doubt, labelmap, NAMES)
    assert place.structure == Candidate(0, "background")


def test_a_long_border_is_cut_into_places_that_one_view_shows() -> None:
    doubt, labelmap = result((box((5, 24), (9, 30), (5, 25)), 128))
    places = doubtful_places(doubt, labelmap, NAMES)
    lengths = [[(last - first) * mm for (first, last), mm in zip(place.box, SPACING, strict=True)] for place in places]
    assert len(places) >= 2
    assert max(map(max, lengths)) <= LARGEST_MM
    assert sum(place.share for place in places) == pytest.approx(1)


def test_a_result_without_doubt_has_no_places() -> None:
    doubt, labelmap = result()
    assert doubtful_places(doubt, labelmap, NAMES) == ()
