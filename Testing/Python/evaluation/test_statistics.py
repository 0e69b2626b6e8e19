"""Intervals and p-values over cases agree with SciPy's, and labels that some cases lack are handled."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

from LightMedSegLib.evaluation.intervals import intervals
from LightMedSegLib.evaluation.metrics import LabelMetrics
from LightMedSegLib.evaluation.paired_test import p_values
from LightMedSegLib.evaluation.scores import CaseScore, score_table
from LightMedSegLib.evaluation.summary import MEAN, compare_scores, summarise


def score(case: str, label: str, dice: float, hd95: float = 1.0) -> CaseScore:
    return CaseScore(case, LabelMetrics(1, label, dice, hd95, dice, 1.0, 1.0))


@pytest.fixture
def stats() -> Any:
    """scipy.stats, which takes seconds to import, also in a process that only collects this test."""
    return importlib.import_module("scipy.stats")


def test_bootstrap_intervals_agree_with_scipy(stats: Any) -> None:
    values = np.random.default_rng(1).beta(8, 2, 25)
    low, high = intervals(values[:, None])
    wanted = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="BCa", random_state=2).confidence_interval
    assert (low[0], high[0]) == pytest.approx((wanted.low, wanted.high), abs=0.003)
    assert (low[1], high[1]) == (low[0], high[0]), "the mean over one label is that label's"
    assert low[0] < values.mean() < high[0]


@pytest.mark.parametrize("count", [10, 40])
def test_permutation_tests_agree_with_scipy(count: int, stats: Any) -> None:
    differences = np.random.default_rng(3).normal(0.02, 0.05, count)
    wanted = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, random_state=4
    )
    assert p_values(differences[:, None])[0] == pytest.approx(wanted.pvalue, abs=1e-9 if count == 10 else 0.01)


def test_labels_that_cases_lack_and_single_cases_have_no_interval_and_equal_ones_no_width() -> None:
    nan = math.nan
    low, high = intervals(np.array([[0.5, 0.7, nan], [0.5, nan, nan], [0.5, nan, nan]]))
    assert (low[0], high[0]) == (0.5, 0.5)
    assert np.isnan(low[1:3]).all() and np.isnan(high[1:3]).all()
    assert np.isnan(intervals(np.array([[0.5]]))[0]).all()
    assert p_values(np.zeros((5, 1))).tolist() == [1.0, 1.0]
    assert np.isnan(p_values(np.array([[nan], [nan]]))).all()


def test_missed_labels_count_as_such_and_not_in_the_mean_distance() -> None:
    scores = [score("a", "Left", 0.9, 2.0), score("b", "Left", 0.0, math.inf), score("a", "Right", 0.5, 4.0)]
    table = score_table(scores)
    assert table.cases == ("a", "b") and table.labels == ("Left", "Right") and table.missed == (1, 0)
    left, right, mean = summarise(scores)
    assert (left.cases, left.missed, right.cases, mean.label) == (2, 1, 1, MEAN)
    assert left.estimates["hd95_mm"].mean == 2.0
    assert left.estimates["dice"].mean == pytest.approx(0.45)
    assert mean.estimates["dice"].mean == pytest.approx((0.45 + 0.5) / 2)


def test_differences_are_taken_in_pairs_of_the_cases_that_both_have() -> None:
    first = [score(f"case {number}", "Left", 0.8 + 0.01 * number) for number in range(8)]
    other = [score(f"case {number}", "Left", 0.7 + 0.01 * number) for number in range(2, 12)]
    left, mean = compare_scores(first, other)
    assert left.cases == mean.cases == 6
    dice = left.estimates["dice"]
    assert (dice.mean, dice.low, dice.high) == pytest.approx((0.1, 0.1, 0.1))
    assert dice.p_value == 2 / 2**6, "only all signs alike reach the mean"
