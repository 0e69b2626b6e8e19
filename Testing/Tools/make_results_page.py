"""Writes Documentation/results.md from the per-case CSV files in Documentation/results.

    python Testing/Tools/make_results_page.py [--check]

Each folder in Documentation/results is one test: its test.toml says what was tested, its CSV files hold a line per case
and structure for each network. --check writes nothing and exits with 1 where the page is not current.
"""

from __future__ import annotations

import csv
import math
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from generated_page import write_or_check

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "Documentation" / "results"
PAGE = ROOT / "Documentation" / "results.md"

HEADER = """# Results

Accuracy on cases that neither training nor model selection used. The inference engine segmented every scan on its own
voxel grid; means are over cases. A structure without a reference in a case does not count; a structure that was
missed completely counts as Dice 0 and in the column "missed", but not in HD95 (mm). NSD is the normalised surface
Dice at 1 mm. The files behind these tables, one line per case and structure, are in `results/`;
`Testing/Tools/make_results_page.py` makes this page from them. Goals are those that the project set before training.
"""


@dataclass(frozen=True)
class Row:
    """One structure of one case; figures are NaN where they do not exist."""

    case: str
    label: str
    dice: float
    hd95_mm: float
    nsd_1mm: float


def read_rows(path: Path) -> list[Row]:
    """The rows of one network's file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Row(line["case"], line["label"], *(float(line[key]) for key in ("dice", "hd95_mm", "nsd_1mm")))
            for line in csv.DictReader(stream)
        ]


def mean(values: Iterable[float]) -> float:
    """Mean of the finite values; NaN without any."""
    finite = [value for value in values if math.isfinite(value)]
    return statistics.fmean(finite) if finite else math.nan


def mean_dice(rows: Sequence[Row]) -> float:
    """Mean over the structures of their means over cases."""
    labels = dict.fromkeys(row.label for row in rows)
    return mean(mean(row.dice for row in rows if row.label == label) for label in labels)


def page() -> str:
    """The whole page."""
    parts = [HEADER]
    tests = [(path.parent, tomllib.loads(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*/test.toml")]
    for folder, test in sorted(tests, key=lambda pair: (pair[1]["order"], pair[0].name)):
        parts += [f"## {test['title']}", test["text"].strip(), *_tables(folder, test)]
        if "after" in test:
            parts.append(test["after"].strip())
        for picture in test.get("pictures", []):
            parts.append(f"![{picture['text']}](pictures/{picture['file']})\n\n*{picture['text']}*")
    return "\n\n".join(parts) + "\n"


def _tables(folder: Path, test: dict[str, Any]) -> list[str]:
    networks = {entry["title"]: (entry, read_rows(folder / entry["file"])) for entry in test["networks"]}
    lines = [_overview(networks)]
    if test.get("by_structure", True):
        first = next(iter(networks.values()))[1]
        others = {title: rows for title, (_, rows) in list(networks.items())[1:]}
        lines.append(_by_structure(first, others))
    return lines


def _overview(networks: dict[str, tuple[dict[str, Any], list[Row]]]) -> str:
    table = [
        "| network | parameters | cases | mean Dice | lowest case | HD95 | NSD | missed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, (entry, rows) in networks.items():
        cases = dict.fromkeys(row.case for row in rows)
        lowest = min(mean(row.dice for row in rows if row.case == case) for case in cases)
        missed = sum(math.isinf(row.hd95_mm) for row in rows)
        figures = (mean_dice(rows), lowest, mean(row.hd95_mm for row in rows), mean(row.nsd_1mm for row in rows))
        cells = [f"{figures[0]:.3f}", f"{figures[1]:.3f}", f"{figures[2]:.2f}", f"{figures[3]:.3f}", str(missed)]
        table.append(f"| {title} | {entry['parameters']} | {len(cases)} | " + " | ".join(cells) + " |")
    return "\n".join(table)


def _by_structure(rows: Sequence[Row], others: dict[str, list[Row]]) -> str:
    titles = list(others)
    head = ["structure", "cases", "Dice", "HD95", "NSD", *(f"Dice, {title}" for title in titles)]
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for label in dict.fromkeys(row.label for row in rows):
        own = [row for row in rows if row.label == label and not math.isnan(row.dice)]
        cells = [label, str(len(own)), f"{mean(r.dice for r in own):.3f}", f"{mean(r.hd95_mm for r in own):.2f}"]
        cells.append(f"{mean(r.nsd_1mm for r in own):.3f}")
        cells += [f"{mean(r.dice for r in others[title] if r.label == label):.3f}" for title in titles]
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
