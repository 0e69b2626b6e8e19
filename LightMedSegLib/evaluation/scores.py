"""The metrics of many cases: one entry for each case and label, and as arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.evaluation.metrics import LabelMetrics
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.storage.csv_table import table_text

METRICS: dict[str, Callable[[LabelMetrics], float]] = {
    "dice": lambda item: item.dice,
    "hd95_mm": lambda item: item.hd95_mm,
    "nsd": lambda item: item.nsd,
}
"""What is averaged over cases."""


@dataclass(frozen=True)
class CaseScore:
    """The metrics of one label in one case."""

    case: str
    metrics: LabelMetrics


@dataclass(frozen=True)
class ScoreTable:
    """Metrics as arrays (cases, labels), by the names of METRICS.

    nan: the case does not count for the label. An infinite HD95 is nan too, and counted in missed (labels), because
    a mean of distances exists only where a label is in both segmentations.
    """

    cases: tuple[str, ...]
    labels: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]
    missed: tuple[int, ...]


def score_table(scores: Sequence[CaseScore]) -> ScoreTable:
    """Return the scores as arrays; cases and labels are in the order in which they first occur."""
    cases = tuple(dict.fromkeys(score.case for score in scores))
    labels = tuple(dict.fromkeys(score.metrics.name for score in scores))
    rows, columns = ({name: place for place, name in enumerate(names)} for names in (cases, labels))
    values = {metric: np.full((len(cases), len(labels)), math.nan) for metric in METRICS}
    for score in scores:
        place = rows[score.case], columns[score.metrics.name]
        for metric, value_of in METRICS.items():
            values[metric][place] = value_of(score.metrics)
    infinite = np.isinf(values["hd95_mm"])
    values["hd95_mm"][infinite] = math.nan
    return ScoreTable(cases, labels, values, tuple(int(count) for count in infinite.sum(axis=0)))


def write_scores(
    path: Path, scores: Iterable[CaseScore], tolerance_mm: float = 1.0, more: Iterable[Sequence[str]] = ()
) -> None:
    """Write the table of scores_as_csv to a file, complete or not at all. Raises OutputError."""
    with atomic_write(path) as temporary:
        temporary.write_text(scores_as_csv(scores, tolerance_mm, more), encoding="utf-8", newline="\n")


def scores_as_csv(scores: Iterable[CaseScore], tolerance_mm: float = 1.0, more: Iterable[Sequence[str]] = ()) -> str:
    """Return a CSV table with a line for each case and label, then the lines more."""
    columns = ("case", "label", "dice", "hd95_mm", f"nsd_{tolerance_mm:g}mm", "volume_ml", "reference_volume_ml")
    rows = []
    for score in scores:
        item = score.metrics
        numbers = (item.dice, item.hd95_mm, item.nsd, item.volume_ml, item.reference_volume_ml)
        rows.append([score.case, item.name, *(f"{value:.5f}" for value in numbers)])
    return table_text([columns, *rows, *more])
