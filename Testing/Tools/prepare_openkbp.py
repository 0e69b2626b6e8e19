"""Lists the OpenKBP head-and-neck cases as a training CSV, and draws their split by patient.

    python Testing/Tools/prepare_openkbp.py DATA cases.csv [--split headneck-oar-ct.split.json]

DATA holds images/, labels/ and cases.csv, where an empty cell under an organ means that the clinic did not
contour it: such an organ is left out of the training CSV's column "labelled", so neither loss nor scores look at
it. The split keeps the challenge's own validation patients, all of them, as the test part.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

from LightMedSegLib.core.errors import LightMedSegError, TrainingDataError
from LightMedSegLib.storage.atomic_files import atomic_write
from LightMedSegLib.training.split import Split, draw_split, write_split

ORGANS = ("Brainstem", "SpinalCord", "RightParotid", "LeftParotid", "Esophagus", "Larynx", "Mandible")
"""Columns of the data's own table; the organ's label value is its place, from 1 on."""

VALIDATION_CASES = 17
SEED = 2026


def read_table(data: Path) -> list[dict[str, str]]:
    """The rows of DATA/cases.csv; raises TrainingDataError when it is missing or lacks a column."""
    path = data / "cases.csv"
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise TrainingDataError(f"The table {path} cannot be read: {error.strerror}.") from None
    missing = [column for column in ("case", "openkbp_split", *ORGANS) if rows and column not in rows[0]]
    if missing or not rows:
        raise TrainingDataError(
            f"The table {path} lacks the column {missing[0]!r}." if missing else f"{path} is empty."
        )
    return rows


def contoured(row: dict[str, str]) -> tuple[int, ...]:
    """Label values of the organs that the clinic contoured in this case."""
    return tuple(value for value, organ in enumerate(ORGANS, start=1) if (row[organ] or "").strip())


def write_training_table(data: Path, rows: list[dict[str, str]], path: Path) -> None:
    """The CSV that the training's layout "csv" reads; its paths are relative to it."""
    folder = Path(os.path.relpath(data.resolve(), path.resolve().parent))
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["case", "image", "labelmap", "labelled"])
        for row in rows:
            name = f"{row['case']}.nii.gz"
            values = " ".join(str(value) for value in contoured(row))
            if values:
                writer.writerow([row["case"], folder / "images" / name, folder / "labels" / name, values])


def split_by_patient(rows: list[dict[str, str]], validation: int = VALIDATION_CASES, seed: int = SEED) -> Split:
    """The challenge's validation patients test; of its training patients some, drawn at random, validate."""
    used = [row for row in rows if contoured(row)]
    test = sorted(row["case"] for row in used if row["openkbp_split"] == "validation")
    drawn = draw_split([row["case"] for row in used if row["openkbp_split"] == "train"], validation, 0, seed)
    return Split(drawn.train, drawn.validation, tuple(test))


def main(arguments: list[str] | None = None) -> int:
    """Write the files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with images/, labels/ and cases.csv")
    parser.add_argument("table", type=Path, help="the training CSV to write")
    parser.add_argument("--split", type=Path, help="the split file to write")
    chosen = parser.parse_args(arguments)
    try:
        rows = read_table(chosen.data)
        write_training_table(chosen.data, rows, chosen.table)
        if chosen.split:
            write_split(chosen.split, split_by_patient(rows))
    except LightMedSegError as error:
        print(f"prepare_openkbp: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
