"""Writes Documentation/results.md from the per-case CSV files in Documentation/results.

    python Testing/Tools/make_results_page.py [--check]

Each folder in Documentation/results is one test: its test.toml says what was tested, its CSV files hold a line per case
and structure for each network. References of a test that are broken are listed in Resources/Training. --check writes
nothing and exits with 1 where the page is not current.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
import sys
import textwrap
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
sys.path.insert(0, str(ROOT))

from LightMedSegLib.core.labels import without_side  # noqa: E402

FOLDER = ROOT / "Documentation" / "results"
PAGE = ROOT / "Documentation" / "results.md"
LISTS = ROOT / "Resources" / "Training"

HEADER = """# Results

Accuracy on cases that the model was not trained on, measured on each scan's own voxel grid. Dice is the overlap with
the reference: 1 is perfect, 0 is none. HD95 is the distance in mm below which 95 % of the surface errors lie. NSD is
the normalised surface Dice, the share of the surface that is right to 1 mm. Means are over cases. A structure without
a reference in a case does not count. A structure that was missed completely counts as Dice 0 and in the column
"missed", but not in HD95. Accuracy on your scans may differ; `lightmedseg evaluate` measures it."""

ENDING = """The files behind the tables, one line per case and structure, are in `results/`;
`Testing/Tools/make_results_page.py` makes this page from them.
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


def tests() -> list[tuple[Path, dict[str, Any]]]:
    """The folders of the tests with what test.toml says, in the order of the page."""
    found = [(path.parent, tomllib.loads(path.read_text(encoding="utf-8"))) for path in FOLDER.glob("*/test.toml")]
    return sorted(found, key=lambda pair: (pair[1]["order"], pair[0].name))


def page() -> str:
    """The whole page."""
    found = tests()
    parts = [HEADER, "## In short", in_short(found)]
    for folder, test in found:
        parts += [f"## {test['title']}", test["text"].strip(), *_tables(folder, test)]
        if test.get("pictures"):
            parts.append(f"![Colours of the structures](pictures/legend-{folder.name}.svg)")
        for picture in test.get("pictures", []):
            parts.append(f"![{picture['text']}](pictures/{picture['file']})\n\n*{picture['text']}*")
    return "\n\n".join([*parts, ENDING])


def in_short(found: Sequence[tuple[Path, dict[str, Any]]]) -> str:
    """One line a model: what was tested, the mean, the range of the cases, the best and the weakest structure."""
    head = ("model", "tested on", "mean Dice", "interquartile range", "best", "weakest")
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for folder, test in found:
        if not test.get("networks"):
            continue
        rows = read_rows(folder / test["networks"][0]["file"])
        low, _, high = statistics.quantiles(case_means(rows), n=4)
        by_name = sorted((value, name) for name, value in structure_means(rows).items())
        best, weakest = (f"{name} {value:.2f}" for value, name in (by_name[-1], by_name[0]))
        if len(by_name) == 1:
            weakest = "-"
        cells = (
            f"`{folder.name}`",
            test["tested_on"],
            f"{mean_dice(rows):.3f}",
            f"{low:.2f} to {high:.2f}",
            best,
            weakest,
        )
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def case_means(rows: Sequence[Row]) -> list[float]:
    """The mean Dice of each case."""
    cases = dict.fromkeys(row.case for row in rows)
    return [mean(row.dice for row in rows if row.case == case) for case in cases]


def structure_means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean Dice of each structure, both sides together."""
    names = dict.fromkeys(without_side(row.label) for row in rows)
    return {name: mean(row.dice for row in rows if without_side(row.label) == name) for name in names}


def _tables(folder: Path, test: dict[str, Any]) -> list[str]:
    if not test.get("networks"):
        return []
    networks = {entry["title"]: (entry, read_rows(folder / entry["file"])) for entry in test["networks"]}
    first = next(iter(networks.values()))[1]
    others = {title: rows for title, (_, rows) in list(networks.items())[1:]}
    return [_overview(networks), _by_structure(first, others), *_broken(folder.name, networks)]


def _overview(networks: dict[str, tuple[dict[str, Any], list[Row]]]) -> str:
    table = [
        "| network | parameters | cases | mean Dice | lowest case | HD95 | NSD | missed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for title, (entry, rows) in networks.items():
        cases = case_means(rows)
        lowest = min(cases)
        missed = sum(math.isinf(row.hd95_mm) for row in rows)
        figures = (mean_dice(rows), lowest, mean(row.hd95_mm for row in rows), mean(row.nsd_1mm for row in rows))
        cells = [f"{figures[0]:.3f}", f"{figures[1]:.3f}", f"{figures[2]:.2f}", f"{figures[3]:.3f}", str(missed)]
        table.append(f"| {title} | {entry['parameters']} | {len(cases)} | " + " | ".join(cells) + " |")
    return "\n".join(table)


def _by_structure(rows: Sequence[Row], others: dict[str, list[Row]]) -> str:
    titles = list(others)
    head = ["structure, both sides", "references", "Dice", "HD95", "NSD", *(f"Dice, {title}" for title in titles)]
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    compared = [structure_means(others[title]) for title in titles]
    for name, dice in structure_means(rows).items():
        own = [row for row in rows if without_side(row.label) == name and not math.isnan(row.dice)]
        cells = [name, str(len(own)), f"{dice:.3f}", f"{mean(r.hd95_mm for r in own):.2f}"]
        cells += [f"{mean(r.nsd_1mm for r in own):.3f}", *(f"{means[name]:.3f}" for means in compared)]
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


def broken_references(model: str) -> tuple[str, list[dict[str, Any]]]:
    """How the list of a model's broken references was made, and its entries; none without a list."""
    path = LISTS / f"{model}.references.json"
    if not path.is_file():
        return "", []
    content = json.loads(path.read_text(encoding="utf-8"))
    return content["note"], content["broken"]


def without(rows: Iterable[Row], entries: Iterable[dict[str, Any]]) -> list[Row]:
    """The rows of the references that are not listed."""
    listed = {(entry["case"], entry["label"]) for entry in entries}
    return [row for row in rows if (row.case, row.label) not in listed]


def _broken(model: str, networks: dict[str, tuple[dict[str, Any], list[Row]]]) -> list[str]:
    note, entries = broken_references(model)
    if not entries:
        return []
    table = ["| case | structure | what is wrong | ml | others, median | mean HU |", "|" + "---|" * 6]
    for entry in entries:
        hu = "-" if entry["mean_hu"] is None else entry["mean_hu"]
        cells = (entry["case"], entry["label"], entry["wrong"], entry["volume_ml"], entry["others_median_ml"], hu)
        table.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    means = ["| network | references | number | cases | mean Dice | median case |", "|" + "---|" * 6]
    for title, (_, rows) in networks.items():
        for kind, kept in (("all", rows), ("without the broken ones", without(rows, entries))):
            cases = case_means([row for row in kept if math.isfinite(row.dice)])
            number = sum(math.isfinite(row.dice) for row in kept)
            figures = f"{mean_dice(kept):.3f} | {statistics.median(cases):.3f}"
            means.append(f"| {title} | {kind} | {number} | {len(cases)} | {figures} |")
    return [
        "### Broken references",
        textwrap.fill(note, 120),
        "\n".join(table),
        "\n".join(means),
        _medians(next(iter(networks.values()))[1], entries),
    ]


def _medians(rows: list[Row], entries: list[dict[str, Any]]) -> str:
    kept = without(rows, entries)
    head = ("structure, both sides", "references", "Dice", "median", "without the broken ones", "Dice", "median")
    table = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in dict.fromkeys(without_side(row.label) for row in rows):
        cells = [name]
        for part in (rows, kept):
            dice = [row.dice for row in part if without_side(row.label) == name and math.isfinite(row.dice)]
            cells += [str(len(dice)), f"{mean(dice):.3f}", f"{statistics.median(dice):.3f}"]
        table.append("| " + " | ".join(cells) + " |")
    return "\n".join(table)


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
