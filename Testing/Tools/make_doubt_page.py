"""Writes Documentation/doubt.md and its picture from the files in Documentation/doubt.

    python Testing/Tools/make_doubt_page.py [--check]

The CSV files are what Testing/Benchmarks/doubt.py wrote, text.md says what was measured and names the tables. --check
writes nothing and exits with 1 where the page is not current.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Benchmarks")]

import doubt_tables  # noqa: E402
from generated_page import write_or_check  # noqa: E402
from prompted.kept_rows import read_rows  # noqa: E402
from report import markdown  # noqa: E402

FOLDER = ROOT / "Documentation" / "doubt"
PAGE = ROOT / "Documentation" / "doubt.md"
PICTURE = FOLDER / "expected-dice.png"


def page() -> str:
    """The whole page: text.md with each table where it names it."""
    cases, structures, measures, memory = (
        read_rows(FOLDER / f"{name}.csv") for name in ("cases", "structures", "measures", "memory")
    )
    tables = {
        "voxels": doubt_tables.voxels_table(cases),
        "measures": doubt_tables.measures_table(measures),
        "slices": doubt_tables.slices_table(cases),
        "dice": doubt_tables.dice_table(cases, structures),
        "cost": doubt_tables.cost_table(cases, memory),
    }
    text = (FOLDER / "text.md").read_text(encoding="utf-8")
    for name, rows in tables.items():
        text = text.replace(f"[{name}]\n", markdown(rows) + "\n")
    return text


if __name__ == "__main__":
    if "--check" not in sys.argv:
        doubt_tables.plot(PICTURE, read_rows(FOLDER / "structures.csv"))
    sys.exit(write_or_check(PAGE, page(), __doc__))
