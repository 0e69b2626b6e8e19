"""CSV tables: reading what spreadsheet programs of any locale save, and writing."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from LightMedSegLib.storage.text_files import read_text

_SEPARATORS = ",;\t|"

Row = tuple[int, dict[str, str]]
"""Number of a row's last line in the file, and its values by column, without surrounding blanks."""


def read_table(path: Path, columns: Collection[str]) -> list[Row]:
    """Return the rows of a CSV file; empty rows are left out.

    The separator is a comma, semicolon, tab or bar: the one that splits the first line into most of the known columns,
    or the one in a first line "sep=;". Column names are case-insensitive. text_files.decode_text lists the encodings.

    Raises OSError, or ValueError with a short reason.
    """
    text = read_text(path, older=True).replace("\r\n", "\n").replace("\r", "\n")
    first, _, rest = text.partition("\n")
    declared = first.strip(' "')
    lines = 0
    if len(declared) == 5 and declared.lower().startswith("sep="):
        separator, text, lines = declared[-1], rest, 1
    else:
        separator = max(_SEPARATORS, key=lambda mark: len(set(_names(first, mark)) & set(columns)))
    try:
        reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True)
        found = [(lines + reader.line_num, [value.strip() for value in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"it is no table ({error})") from None
    found = [(line, values) for line, values in found if any(values)]
    names = [name.casefold() for name in found[0][1]] if found else []
    if len(set(filter(None, names))) < len(list(filter(None, names))):
        raise ValueError("a column's name appears twice in its first line")
    return [(line, _row(line, names, values)) for line, values in found[1:]]


def table_text(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as CSV with commas and line feeds, the first of them with the names of the columns."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _row(line: int, names: list[str], values: list[str]) -> dict[str, str]:
    if any(values[len(names) :]):
        raise ValueError(f"line {line} has more values than columns; put a value that holds the separator in quotes")
    return {name: value for name, value in zip_longest(names, values[: len(names)], fillvalue="") if name}


def _names(line: str, separator: str) -> list[str]:
    return [name.strip().strip('"').strip().casefold() for name in line.split(separator)]
