"""Writes Documentation/fine-tuning.md from the CSV files in Documentation/fine-tuning.

    python Testing/Tools/make_finetuning_page.py [--check]

The files are what Testing/Benchmarks/finetune_*.py wrote, a line per job. --check writes nothing and exits with 1 where
the page is not current.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from generated_page import write_or_check

from LightMedSegLib.model.store import ModelStore

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "Documentation" / "fine-tuning"
PAGE = ROOT / "Documentation" / "fine-tuning.md"

Rows = list[dict[str, str]]


def read(name: str) -> Rows:
    """The rows of one experiment."""
    with (FOLDER / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def gain(row: dict[str, str], before: str = "before", after: str = "after") -> float:
    """Dice after less Dice before."""
    return float(row[after]) - float(row[before])


def devices(row: dict[str, str]) -> str:
    """The device as a reader knows it."""
    return "two processor cores" if row["device"] == "cpu" else "one H200"


def in_short() -> str:
    """What a correction gains, one line each: mean Dice before and after, and the time of a job."""
    lines = []
    for name, title, count, per in (
        ("site-shift.csv", "hippocampus, another scanner", "cases", "one processor core"),
        ("whole-heads.csv", "32 structures of a whole head", "corrected", "one H200"),
    ):
        rows = read(name)
        for number in sorted({row[count] for row in rows}, key=int):
            own = [row for row in rows if row[count] == number]
            dice = (statistics.mean(float(row[key]) for row in own) for key in ("before", "after"))
            seconds = sorted(float(row["seconds"]) for row in own)
            adopted = sum(row["accepted"] == "True" for row in own)
            cells = (title, number, *(f"{value:.3f}" for value in dice), f"{adopted} of {len(own)}")
            lines.append((*cells, f"{seconds[0]:.0f} to {seconds[-1]:.0f} s, {per}"))
    return table(("structures", "corrected scans", "Dice before", "Dice after", "passed the gate", "time"), lines)


def whole_heads() -> str:
    """Experiment A: every job, and the structures."""
    jobs = [
        (
            devices(row), row["corrected"], row["choice"], row["tested"], row["before"], row["after"],
            f"{gain(row):+.3f}", f"{gain(row, 'reference_before', 'reference_after'):+.3f}",
            f"{gain(row, 'made_before', 'made_after'):+.3f}", "yes" if row["accepted"] == "True" else "no",
            row["seconds"],
        )
        for row in read("whole-heads.csv")
    ]  # fmt: skip
    titles = (
        "on", "corrected", "choice", "tested", "before", "after", "gain", "reference set", "other synthetic images",
        "adopted", "seconds",
    )  # fmt: skip
    parts = [
        table(titles, jobs),
        "Structure by structure, one corrected scan and five, the mean of the jobs on the CUDA device:",
        structures(read("whole-heads.csv")),
    ]
    return "\n\n".join(parts)


def structures(rows: Rows) -> str:
    """Dice of every structure that the references can judge."""
    lines = []
    for index, name in enumerate(judged_structures()):
        line = [name]
        for count in ("1", "5"):
            own = [row for row in rows if row["device"] != "cpu" and row["corrected"] == count]
            for key in ("before_by_structure", "after_by_structure"):
                line.append(f"{statistics.mean(float(row[key].split()[index]) for row in own):.3f}")
        lines.append(line)
    return table(("structure", "before (1)", "after (1)", "before (5)", "after (5)"), lines)


def judged_structures() -> list[str]:
    """Names in the order of the columns."""
    mapping = json.loads((ROOT / "Resources" / "Training" / "malc2012-to-brain-structures.json").read_text("utf-8"))
    labels = ModelStore().find("brain-structures-mr").card.labels
    return [label.name for label in labels if label.name not in mapping["not_evaluated"]]


def site_shift() -> str:
    """Experiment B."""
    rows = [
        (
            row["cases"], row["repetition"], row["before"], row["after"], f"{gain(row):+.3f}",
            f"{gain(row, 'original_before', 'original_after'):+.3f}", "yes" if row["accepted"] == "True" else "no",
            f"{float(row['seconds']):.0f}",
        )
        for row in read("site-shift.csv")
    ]  # fmt: skip
    titles = ("corrected", "choice", "before", "after", "gain", "original cases", "adopted", "seconds")
    return table(titles, rows)


def new_structure() -> str:
    """Experiment C."""
    rows = [
        (
            row["corrected"], row["choice"], row["tested"], row["airway"], row["others_before"], row["others_after"],
            f"{gain(row, 'others_before', 'others_after'):+.3f}",
            f"{gain(row, 'reference_before', 'reference_after'):+.3f}", "yes" if row["accepted"] == "True" else "no",
            row["seconds"],
        )
        for row in read("new-structure.csv")
    ]  # fmt: skip
    titles = (
        "corrected", "choice", "tested", "airway after", "others before", "others after", "others' change",
        "reference set", "adopted", "seconds",
    )  # fmt: skip
    return table(titles, rows)


def page() -> str:
    """The whole page: text.md with each table where it names it."""
    text = (FOLDER / "text.md").read_text(encoding="utf-8")
    tables = {
        "in-short": in_short, "whole-heads": whole_heads, "site-shift": site_shift, "new-structure": new_structure
    }  # fmt: skip
    for name, made in tables.items():
        text = text.replace(f"[{name}]\n", made() + "\n")
    return text


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
