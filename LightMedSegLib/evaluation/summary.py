"""Means over cases with their intervals, and the paired comparison of two methods on the same cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from LightMedSegLib.evaluation.intervals import intervals, label_means
from LightMedSegLib.evaluation.paired_test import p_values
from LightMedSegLib.evaluation.scores import METRICS, CaseScore, score_table

MEAN = "Mean"
"""Name of the row of means over the labels."""


@dataclass(frozen=True)
class Estimate:
    """A mean over cases with the ends of its 95 % interval; nan where there is none.

    p_value: of a mean difference, None for other means.
    """

    mean: float
    low: float
    high: float
    p_value: float | None = None


@dataclass(frozen=True)
class Row:
    """One label, or the mean over the labels.

    cases: how many count. missed: cases in which only one segmentation has the label. estimates: by the names of
    METRICS.
    """

    label: str
    cases: int
    missed: int
    estimates: dict[str, Estimate]


def summarise(scores: Sequence[CaseScore]) -> list[Row]:
    """Return a row for each label and last one for the mean over the labels, each of which counts the same."""
    table = score_table(scores)
    return _rows(table.labels, table.values, table.missed, len(table.cases), tested=False)


def compare_scores(scores: Sequence[CaseScore], others: Sequence[CaseScore]) -> list[Row]:
    """Return the rows of summarise for the differences, scores minus others, of the cases that both have.

    A case counts for a label where both have a finite value. missed is of both together.
    """
    first, second = score_table(scores), score_table(others)
    cases = [case for case in first.cases if case in second.cases]
    labels = tuple(label for label in first.labels if label in second.labels)
    places = [
        np.ix_([table.cases.index(case) for case in cases], [table.labels.index(label) for label in labels])
        for table in (first, second)
    ]
    differences = {metric: first.values[metric][places[0]] - second.values[metric][places[1]] for metric in METRICS}
    missed = tuple(first.missed[first.labels.index(one)] + second.missed[second.labels.index(one)] for one in labels)
    return _rows(labels, differences, missed, len(cases), tested=True)


def _rows(
    labels: Sequence[str],
    values: dict[str, np.ndarray[tuple[int, int], np.dtype[np.float64]]],
    missed: Sequence[int],
    cases: int,
    tested: bool,
) -> list[Row]:
    columns: dict[str, list[Estimate]] = {}
    for metric, numbers in values.items():
        means = label_means(numbers, np.ones((1, cases)))[0]
        low, high = intervals(numbers)
        chances = p_values(numbers).tolist() if tested else [None] * len(means)
        columns[metric] = [
            Estimate(float(mean), float(least), float(most), chance)
            for mean, least, most, chance in zip(means, low, high, chances, strict=True)
        ]
    counts = [*np.isfinite(values["dice"]).sum(axis=0).tolist(), cases]
    return [
        Row(label, count, lost, {metric: column[place] for metric, column in columns.items()})
        for place, (label, count, lost) in enumerate(zip([*labels, MEAN], counts, [*missed, sum(missed)], strict=True))
    ]
