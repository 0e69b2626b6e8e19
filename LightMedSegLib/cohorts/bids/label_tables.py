"""Tables of labels in TSV: index, name and colour, and for a result the volumes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from LightMedSegLib.cohorts.bids.names import DESCRIPTION, RESULT_SUFFIX
from LightMedSegLib.core.labels import Label
from LightMedSegLib.storage.atomic_files import atomic_write

LABEL_TABLE = f"desc-{DESCRIPTION}_{RESULT_SUFFIX}"
"""Name, without ending, of the table of all labels, which applies to every result below it."""

VOLUME = "volume_ml"
_LABEL_COLUMNS = ["index", "name", "color"]
"""Columns that BIDS defines; color is sRGB in hexadecimal digits."""

VOLUME_COLUMNS = {
    "voxels": {"Description": "Number of voxels of the structure"},
    VOLUME: {"Description": "Volume of the structure", "Units": "mL"},
}
"""Further columns of a result's table, in the words of a sidecar."""

MISSING = "n/a"


def write_label_table(path: Path, labels: Sequence[Label], segments: Iterable[Mapping[str, Any]] = ()) -> None:
    """Write index, name and colour of labels, sorted by index; of a result also voxels and volume.

    segments: value, name, voxels and ml of each label of the result, which are its rows then; a colour that labels do
    not have under that name is n/a. Raises OutputError.
    """
    colors = {label.name: "#{:02x}{:02x}{:02x}".format(*label.color) for label in labels}
    rows = [[one["value"], one["name"], colors.get(one["name"], MISSING), one["voxels"], f"{one['ml']:.6g}"]
            for one in segments]  # fmt: skip
    if rows:
        write_table(path, [*_LABEL_COLUMNS, *VOLUME_COLUMNS], sorted(rows))
        return
    plain = sorted((label.value, label.name, colors[label.name]) for label in labels)
    write_table(path, _LABEL_COLUMNS, plain)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a TSV file, complete or not at all; blanks stand for tabs and line ends in values. Raises OutputError."""
    lines = ["\t".join(" ".join(str(value).split()) for value in row) for row in (columns, *rows)]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def read_label_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table of labels by column. Raises OSError, or ValueError for another file."""
    text = path.read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or not {"name", VOLUME} <= rows[0].keys() or any(None in row.values() for row in rows):
        raise ValueError("it is no table of labels with volumes")
    return rows
