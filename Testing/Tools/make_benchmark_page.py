"""Writes Documentation/benchmarks.md from what Testing/Benchmarks measured, kept in Documentation/benchmarks.

    python Testing/Tools/make_benchmark_page.py [--check]

Each folder there is one machine: note.md says what was measured, machine.json what the machine is and can do, and the
CSV files hold all rows, of which the page shows what a person reads. --check writes nothing and exits with 1 where the
page is not current.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generated_page import write_or_check

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "Documentation" / "benchmarks"
PAGE = ROOT / "Documentation" / "benchmarks.md"

HEADER = """# Benchmarks

Median run times of our network and others, alternating in one run on one machine. "Times ours" is the time divided by
that of our default: above 1 the other network is slower. Engines: *plain* as its users run it, *channels-last* with
our memory format, *fast* our implementation for processors, *recorded* one CUDA graph, *compiled* a CUDA graph of
fused kernels. Random weights, one channel, 14 classes, batch 1. SlimUNETR-like and SegFormer3D-like were built here
from their published configurations; the others come from MONAI.

Your own machine: `python Testing/Benchmarks/run.py --output MY_MACHINE` (`--quick` for a few minutes),
`python Testing/Benchmarks/on_cuda.py` on a CUDA device, `python Testing/Benchmarks/busy_machine.py` beside other
work, `python Testing/Benchmarks/agreement.py MODEL SCANS` for the labels.
"""

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Table:
    """A table of the page: the CSV file, its title, the columns with their titles, and which rows are shown."""

    file: str
    title: str
    columns: dict[str, str]
    shown: Callable[[dict[str, str]], bool] = lambda row: True


_COMPARED = {"plain float32", "fast float32", "fast bfloat16", "channels-last bfloat16"}


def _readable(row: dict[str, str]) -> bool:
    """Return whether a row of networks.csv is one that a person compares: as users run it, or in our engine."""
    return not row["network"].startswith("lightmedseg-") and f"{row['engine']} {row['precision']}" in _COMPARED


TABLES = (
    Table(
        "networks.csv",
        "128 voxels cubed",
        {
            "network": "network",
            "engine": "engine",
            "precision": "precision",
            "parameters_m": "parameters (M)",
            "gmac": "multiply-adds (G)",
            "seconds": "seconds",
            "ratio_to_ours": "times ours",
            "peak_mb": "peak memory (MB)",
        },
        lambda row: row["edge"] == "128" and _readable(row),
    ),
    Table("cuda-networks.csv", "128 voxels cubed (milliseconds)", {}),
    Table("cuda-scans.csv", "Whole scans, warm, from image to labelmap (seconds)", {}),
    Table(
        "scans.csv",
        "Whole scans, warm, from image to labelmap",
        {
            "scan": "scan",
            "by": "network",
            "seconds": "seconds",
            "preprocess": "preparation",
            "network": "of it in the network",
        },
        lambda row: row["state"] == "warm",
    ),
    Table(
        "growth.csv",
        "How time grows, network alone",
        {"over": "over", "edge": "edge", "classes": "classes", "seconds": "seconds"},
    ),
    Table(
        "busy.csv",
        "Beside other work",
        {
            "busy": "busy processes",
            "waiting": "waiting threads",
            "seconds": "seconds",
            "processor_seconds": "processor time",
            "times_quiet": "times the quiet time",
        },
    ),
    Table(
        "agreement.csv",
        "Labels against the float32 reference (Dice)",
        {
            "model": "model",
            "way": "path",
            "scans": "scans",
            "dice_mean": "mean",
            "dice_least": "lowest scan",
            "structure_least": "lowest structure",
        },
    ),
    Table("training-step.csv", "Milliseconds of a training step", {}),
)


def read(path: Path) -> Rows:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def markdown(rows: Rows, columns: dict[str, str]) -> str:
    """Return rows as a Markdown table; columns that are empty throughout are left out, and no columns mean all."""
    columns = columns or {key: key.replace("_", " ") for key in rows[0]}
    shown = {key: title for key, title in columns.items() if any(row.get(key) for row in rows)}
    lines = ["| " + " | ".join(shown.values()) + " |", "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(row[key] for key in shown) + " |" for row in rows]
    return "\n".join(lines)


def machine_text(machine: dict[str, Any]) -> str:
    """Return the machine in one sentence."""
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return (
        f"{machine['processor']}, {machine['threads']} threads, {machine['capability']}{device}; {machine['system']}, "
        f"Python {machine['python']}, PyTorch {machine['torch']}."
    )


def page() -> str:
    """Return the whole page."""
    parts = [HEADER]
    for folder in sorted((path.parent for path in FOLDER.glob("*/machine.json")), reverse=True):
        parts.append((folder / "note.md").read_text(encoding="utf-8").strip())
        parts.append(machine_text(json.loads((folder / "machine.json").read_text(encoding="utf-8"))))
        for table in TABLES:
            path = folder / table.file
            if path.is_file():
                rows = [row for row in read(path) if table.shown(row)]
                parts += [
                    f"### {table.title}",
                    markdown(rows, table.columns),
                    f"All rows: [{path.name}](benchmarks/{folder.name}/{path.name})",
                ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
