"""Training cases from a CSV file."""

from __future__ import annotations

import re
from pathlib import Path

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.storage.csv_table import Row, read_table
from LightMedSegLib.storage.file_names import comparable_name, find_file


def cases_of_csv(path: Path, channels: int) -> list[Case]:
    """The cases of a list, as io.datasets.find_cases describes it. Raises TrainingDataError."""
    image_columns = ["image"] if channels == 1 else [f"image_{channel}" for channel in range(channels)]
    return [_case_of_row(row, path, image_columns) for row in _rows(path, image_columns)]


def channels_of_csv(path: Path) -> int:
    """The number of columns image_0, image_1, ... of a list of cases, or 1. Raises TrainingDataError."""
    columns = _rows(path, ["image"])[:1]
    return max(1, sum(re.fullmatch(r"image_\d+", name) is not None for _, row in columns for name in row))


def _rows(path: Path, image_columns: list[str]) -> list[Row]:
    try:
        return read_table(path, ["case", "labelmap", "labelled", "patient", *image_columns])
    except OSError as error:
        raise TrainingDataError(f"The list of cases {path.name} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise TrainingDataError(f"The list of cases {path.name} cannot be read: {error}.") from None


def _case_of_row(numbered_row: Row, path: Path, image_columns: list[str]) -> Case:
    number, row = numbered_row
    place = f"Line {number} of {path.name}"
    for column in ["case", "labelmap", *image_columns]:
        if column not in row:
            raise TrainingDataError(
                f"{path.name} has no column {column!r} in its first line; it has {', '.join(map(repr, row))}."
            )
        if not row[column]:
            raise TrainingDataError(f"{place} has no value in the column {column!r}.")
    files = [find_file(path.parent, row[column]) for column in [*image_columns, "labelmap"]]
    for file in files:
        if not file.is_file():
            raise TrainingDataError(f"{place} names the file {file}, which does not exist.")
    name, patient = comparable_name(row["case"]), comparable_name(row.get("patient", ""))
    return Case(name, tuple(files[:-1]), files[-1], _labelled(row.get("labelled", ""), place), patient=patient)


def _labelled(written: str, place: str) -> tuple[int, ...] | None:
    try:
        # A spreadsheet's list may come with whichever mark is not the table's separator.
        return tuple(int(value) for value in re.split(r"[\s,;]+", written)) if written else None
    except ValueError:
        raise TrainingDataError(f"{place} must list whole numbers in the column 'labelled', not {written!r}.") from None
