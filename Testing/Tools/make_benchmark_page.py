"""Writes Documentation/benchmarks.md from what Testing/Benchmarks/run.py measured, kept in Documentation/benchmarks.

    python Testing/Tools/make_benchmark_page.py [--check]

Each folder there is one run on one machine: note.md says what it is, machine.json what the machine is and can do, and
the CSV files hold the rows. --check writes nothing and exits with 1 where the page is not current.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from generated_page import write_or_check

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "Documentation" / "benchmarks"
PAGE = ROOT / "Documentation" / "benchmarks.md"

HEADER = """# Benchmarks

Seconds of our networks and of others, in the same run on the same machine, the networks taking turns. "Ratio" is to
ours as a user of that machine gets it: above 1 the other is slower. "Bound" is the larger of multiply-adds over the
machine's measured peak and the traffic that convolutions cannot avoid over its measured bandwidth; the share is how
much of the time taken that is. Engines: *plain* as its users run it, *channels-last* with our memory format, *fast* our
form for processors, *recorded* our form for CUDA. SlimUNETR-like and SegFormer3D-like were built here from their
published configurations; the others come from MONAI. Weights are random, one channel in, 14 classes out, batch 1.

To measure your own machine: `python Testing/Benchmarks/run.py --output MY_MACHINE` (`--device cuda` for a graphics
card, `--quick` for a few minutes); it writes these tables and a plot.
"""

COLUMNS = {
    "network": "network",
    "engine": "engine",
    "precision": "precision",
    "parameters_m": "parameters (M)",
    "gmac": "multiply-adds (G)",
    "seconds": "seconds",
    "ratio_to_ours": "ratio",
    "share_of_bound": "share of the bound",
    "peak_mb": "peak memory (MB)",
}
TITLES = {
    "scans": "Whole segmentations, by stage (seconds)",
    "growth": "How time grows with voxels and with labels",
    "training": "Fine-tuning steps",
    "training-step": "Training steps on CUDA: plain modules against ours",
    "agreement": "Agreement of the labels with the plain float32 network",
}


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def table(rows: list[dict[str, str]], columns: dict[str, str]) -> str:
    """Rows as a Markdown table; columns that are empty throughout are left out."""
    shown = {key: title for key, title in columns.items() if any(row.get(key) for row in rows)}
    lines = ["| " + " | ".join(shown.values()) + " |", "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(row[key] for key in shown) + " |" for row in rows]
    return "\n".join(lines)


def machine_text(machine: dict[str, Any]) -> str:
    """The machine in one paragraph."""
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return (
        f"{machine['processor']}, {machine['threads']} threads, {machine['capability']}{device}; {machine['system']}, "
        f"Python {machine['python']}, PyTorch {machine['torch']}. Measured peaks: {machine['peak_gmac_float32']} G "
        f"multiply-adds a second in float32, {machine['peak_gmac_bfloat16']} in bfloat16, "
        f"{machine['bandwidth_gb']} GB/s."
    )


def page() -> str:
    """The whole page."""
    parts = [HEADER]
    for folder in sorted(path.parent for path in FOLDER.glob("*/machine.json")):
        parts.append((folder / "note.md").read_text(encoding="utf-8").strip())
        parts.append(machine_text(json.loads((folder / "machine.json").read_text(encoding="utf-8"))))
        if (folder / "networks.csv").is_file():
            rows = read(folder / "networks.csv")
            for edge in sorted({row["edge"] for row in rows}, key=int, reverse=True):
                parts += [f"### {edge} voxels cubed", table([row for row in rows if row["edge"] == edge], COLUMNS)]
        if (folder / "networks.png").is_file():
            parts.append(f"![Seconds over multiply-adds](benchmarks/{folder.name}/networks.png)")
        for name, title in TITLES.items():
            path = folder / f"{name}.csv"
            if path.is_file():
                rows = read(path)
                parts += [f"### {title}", table(rows, {key: key.replace("_", " ") for key in rows[0]})]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
