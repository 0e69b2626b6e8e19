"""The volumes of segments as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from LightMedSegLib.cli.printing.text_output import write_text
from LightMedSegLib.core.console import printable
from LightMedSegLib.storage.csv_table import table_text

CASE = "case"
_COLUMNS = ("label", "voxels", "volume_ml")
_DICE = "expected_dice"


def write_volumes(output: Path | str, segments: Sequence[Mapping[str, Any]]) -> None:
    """Write a line for each segment of a scan to a CSV file or standard output. Raises OutputError.

    segments: as of a Segmentation; with expected_dice there is a column for it.
    """
    judged = _judged(segments)
    _write(output, _columns(judged), [_row(one, judged) for one in segments])


def write_cohort_volumes(output: Path | str, scans: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Write a line for each segment of each scan, which begins with the scan's name. Raises OutputError."""
    judged = any(map(_judged, scans.values()))
    rows = [[name, *_row(one, judged)] for name, segments in scans.items() for one in segments]
    _write(output, [CASE, *_columns(judged)], rows)


def _judged(segments: Iterable[Mapping[str, Any]]) -> bool:
    return any(_DICE in one for one in segments)


def _columns(judged: bool) -> list[str]:
    return [*_COLUMNS, *([_DICE] if judged else [])]


def _row(segment: Mapping[str, Any], judged: bool) -> list[str]:
    row = [segment["name"], str(segment["voxels"]), f"{segment['ml']:.6g}"]
    dice = segment.get(_DICE)
    return [*row, *(["" if dice is None else f"{dice:.4f}"] if judged else [])]


def _write(output: Path | str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    write_text(output, printable(table_text([columns, *rows])))
