"""Tables of means with their intervals, and of differences between two methods."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.evaluation.summary import Estimate, Row

_DIGITS = {"dice": 4, "hd95_mm": 2, "nsd": 4}


def titles(tolerance_mm: float) -> dict[str, str]:
    """Return the title of each metric."""
    return {"dice": "Dice", "hd95_mm": "HD95 (mm)", "nsd": f"NSD {tolerance_mm:g} mm"}


def summary_table(rows: Sequence[Row], tolerance_mm: float) -> str:
    """Return means with their intervals; a column for cases that miss a label, if there are any."""
    missed = any(row.missed for row in rows)
    header = ["Label", "Cases", *(["Missed"] if missed else []), *titles(tolerance_mm).values()]
    lines = [
        [row.label, str(row.cases), *([str(row.missed)] if missed else []), *(_mean(row, metric) for metric in _DIGITS)]
        for row in rows
    ]
    return format_table(header, lines)


def difference_table(rows: Sequence[Row], tolerance_mm: float) -> str:
    """Return mean differences with their intervals and p-values."""
    header = ["Label", "Cases"]
    for title in titles(tolerance_mm).values():
        header += [f"{title} difference", "p"]
    lines = []
    for row in rows:
        cells = [row.label, str(row.cases)]
        for metric in _DIGITS:
            chance = row.estimates[metric].p_value
            shown = "-" if chance is None or math.isnan(chance) else f"{chance:.4f}" if chance >= 1e-4 else "<0.0001"
            cells += [_mean(row, metric, sign="+"), shown]
        lines.append(cells)
    return format_table(header, lines)


def rows_as_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows for a report."""
    return [
        {
            "label": row.label,
            "cases": row.cases,
            "missed": row.missed,
            **{metric: _as_json(estimate) for metric, estimate in row.estimates.items()},
        }
        for row in rows
    ]


def rows_as_csv(rows: Sequence[Row]) -> list[list[str]]:
    """Return lines for the end of a table of cases: the means, and the ends of their intervals."""
    kinds = {"mean": "mean", "95 % low": "low", "95 % high": "high"}
    return [
        [kind, row.label, *(f"{getattr(row.estimates[metric], name):.5f}" for metric in _DIGITS), "", ""]
        for kind, name in kinds.items()
        for row in rows
    ]


def _mean(row: Row, metric: str, sign: str = "-") -> str:
    estimate, digits = row.estimates[metric], _DIGITS[metric]
    if math.isnan(estimate.mean):
        return "-"
    ends = "" if math.isnan(estimate.low) else f" [{estimate.low:{sign}.{digits}f}, {estimate.high:{sign}.{digits}f}]"
    return f"{estimate.mean:{sign}.{digits}f}{ends}"


def _as_json(estimate: Estimate) -> dict[str, float]:
    found = {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
    return found if estimate.p_value is None else {**found, "p_value": estimate.p_value}
