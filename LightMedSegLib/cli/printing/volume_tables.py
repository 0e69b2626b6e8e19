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


def write_volumes(output: Path | str, segments: Iterable[Mapping[str, Any]]) -> None:
    """Write a line for each segment of a scan to a CSV file or standard output. Raises OutputError.

    segments: as label_volumes gives them.
    """
    _write(output, _COLUMNS, (_row(one) for one in segments))


def write_cohort_volumes(output: Path | str, scans: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
    """Write a line for each segment of each scan, which begins with the scan's name. Raises OutputError."""
    _write(output, (CASE, *_COLUMNS), ([name, *_row(one)] for name, segments in scans.items() for one in segments))


def _row(segment: Mapping[str, Any]) -> list[str]:
    return [segment["name"], str(segment["voxels"]), f"{segment['ml']:.6g}"]


def _write(output: Path | str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    write_text(output, printable(table_text([columns, *rows])))
