"""The measures of doubt and the calibration of the expected Dice, on synthetic results."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from doubt_measures import area_under_curve, judge, place_share, slice_shares
from engine_stubs import make_image
from measure_expected_dice import Point, calibration
from other_doubt import MEASURES, measured_by

from LightMedSegLib.doubt.places import doubtful_places
from LightMedSegLib.inference import logit_resampling
from LightMedSegLib.inference.logit_resampling import doubt_of
from LightMedSegLib.learning.prepared_case import IGNORED


def test_the_area_under_the_curve_is_that_of_all_pairs() -> None:
    generator = np.random.default_rng(0)
    values, positive = generator.integers(0, 9, 300).astype(np.uint8), generator.random(300) < 0.3
    yes, no = values[positive].astype(int)[:, None], values[~positive].astype(int)[None]
    assert area_under_curve(values, positive) == pytest.approx(((yes > no) + (yes == no) / 2).mean())
    assert area_under_curve(np.where(positive, 9, 3).astype(np.uint8), positive) == 1
    assert math.isnan(area_under_curve(values, np.zeros(300, dtype=bool)))


def test_only_voxels_near_structures_and_with_a_known_truth_are_judged() -> None:
    labels, truth, doubt = np.zeros((3, 20, 20, 20), dtype=np.uint8)
    labels[5:9, 5:9, 5:9] = 1
    truth[5:9, 5:9, 6:9] = 1
    labels[14:, 14:, 14:] = 2
    truth[5, 5, 5] = IGNORED
    doubt[...] = 7
    judged = judge(labels, truth, doubt, [1])
    assert judged.wrong.sum() == 4 * 4 - 1
    assert judged.near[2, 2, 3] and not judged.near[1, 1, 1] and not judged.near[16, 16, 16]
    assert judged.doubt[16, 16, 16] == 0 == judged.doubt[5, 5, 5] and judged.doubt[1, 1, 1] == 7


def test_the_shares_of_wrong_voxels_in_the_slices_and_places_that_are_proposed() -> None:
    labels, truth, doubt = np.zeros((3, 10, 20, 30), dtype=np.uint8)
    truth[4, 2:18, 2:28] = 1
    doubt[4, 2:18, 2:28] = 255
    truth[7, 3, 3] = 1
    judged = judge(labels, truth, doubt, [1])
    shares = slice_shares(judged)
    wrong = 16 * 26 + 1
    assert (shares.axis, shares.random) == ("z", 0.1)
    assert shares.proposed == shares.best == pytest.approx(16 * 26 / wrong)
    assert shares.tenth == pytest.approx(0.1)
    places = doubtful_places(make_image(judged.doubt), make_image(labels), {1: "one"})
    assert place_share(judged, places) == pytest.approx(16 * 26 / wrong)


def test_every_measure_is_greatest_where_two_classes_are_equally_likely() -> None:
    logits = torch.tensor([[3.0, 3.0, -9.0], [6.0, 0.0, -9.0]])
    for name in MEASURES:
        with measured_by(name):
            best = logit_resampling.best_two(logits)
        equal, sure = doubt_of(best.margin).tolist()
        assert best.classes.tolist() == [0, 0]
        assert equal >= 254 and sure < 20, name


def test_the_line_fits_all_points_and_its_error_is_that_of_patients_left_out() -> None:
    line = [Point(f"patient {n}", 1, 0.8 + n / 100, 0.5 + n / 100) for n in range(10)]
    found = calibration(line)
    assert (found.intercept, found.slope) == (pytest.approx(-0.3), pytest.approx(1.0))
    assert (found.mean_absolute_error, found.cases) == (0.0, 10)
    odd = calibration([*line, Point("odd", 1, 0.85, 0.25)])
    # One wrong reference among many moves the line little, and counts in its error.
    assert odd(1, 0.85) == pytest.approx(0.55, abs=0.01)
    assert odd.mean_absolute_error == pytest.approx(0.3 / 11, abs=0.01)


def test_a_structure_that_is_worse_at_the_same_confidence_has_an_offset() -> None:
    points = [Point(f"patient {n}", value, 0.8 + n / 100, 0.7 + n / 100) for n in range(10) for value in (1, 2, 3)]
    points += [Point(f"patient {n}", 4, 0.8 + n / 100, 0.4 + n / 100) for n in range(10)]
    found = calibration(points)
    assert found(1, 0.85) == pytest.approx(0.75, abs=0.01)
    assert found(4, 0.85) == pytest.approx(0.75 - 0.3 * 10 / 12, abs=0.01)
    assert found(5, 0.85) == pytest.approx(0.75, abs=0.01)
