"""Writes Documentation/benchmarks.md from what Testing/Benchmarks measured, kept in Documentation/benchmarks.

    python Testing/Tools/make_benchmark_page.py [--check]

Each folder there is one computer: note.md has its title and the conditions, machine.json what it is, and the CSV files
hold all rows, of which the page shows what a person reads. summary.toml selects the lines of the first table. --check
writes nothing and exits with 1 where the page is not current.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from generated_page import write_or_check

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTATION = ROOT / "Documentation"
FOLDER = DOCUMENTATION / "benchmarks"
PAGE = DOCUMENTATION / "benchmarks.md"

HEADER = """# Benchmarks

How long LightMedSeg takes, and how its network compares with others on the same computer. Times are medians of
a warm program: the model is loaded. The figures of processors come from two cores of a server; nothing was
timed on a laptop."""

SUMMARY = """Seconds are wall time, except where the line says processor time. The whole head was measured with version
2.4.0 of the brain model. A click or stroke is one update: the median over the structures of
[prompts.csv](interaction/prompts.csv) and [corrections.csv](interaction/corrections.csv), columns `seconds`
and `processor_seconds`. Fine-tuning of a whole head was timed once, with nothing beside it."""

NETWORKS = """Seconds for a cube of 128 voxels, one channel, 14 classes, random weights, all networks in one run.
In brackets they are multiples of the form that LightMedSeg takes by default on that processor. *As its users run
it* is the plain network in PyTorch; *fast* is LightMedSeg's implementation for processors. SlimUNETR-like and
SegFormer3D-like were built from their published configurations, the others come from MONAI. This DynUNet has six levels
and 31.2 M parameters; the one whose accuracy stands in the [results](results.md) has 5.6 M and was not timed."""

CUDA = """Milliseconds for the same cube; "times ours" is the time divided by that of the recorded form of LightMedSeg.
*Recorded* is the network as one CUDA graph; *compiled*, a CUDA graph of fused kernels, replaces it after about
a minute in the background. *Channels-last* is another order of the voxels in memory; both networks are slower with
it."""

BUSY = """The 32 structures of a brain, segmented while other programs use the processor. A fair share of two cores
would be 2 times the quiet time beside two busy processes and 5 times beside eight. The brain model has voxels of
1.5 mm before version 2.2.0 and of 1 mm since."""

MEMORY = """Peak memory of `lightmedseg segment` on a processor: the greatest resident set of the process, with Python
and PyTorch, in each of the runs. The whole head is the sample head in air."""

AGREEMENT = """Dice of the labels with those of the same network in float32 on the processor; 1 is the same everywhere.
The lowest structure of headneck-oar-ct 2.1.0 is a larynx of 23 voxels at the end of a scan, of which one is missing."""

YOURS = """## Your own computer

```
python Testing/Benchmarks/run.py --output MY_MACHINE --quick    # a few minutes; without --quick all networks
python Testing/Benchmarks/busy_machine.py                       # while other programs run
python Testing/Benchmarks/agreement.py MODEL SCANS              # the labels of the faster forms
python Testing/Benchmarks/on_cuda.py                            # on a CUDA device
```"""

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Computer:
    """A folder of measurements: its title, the conditions, and what the computer is."""

    folder: Path
    title: str
    conditions: str
    facts: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Computer:
        """Return the computer whose measurements lie in folder."""
        title, _, conditions = (folder / "note.md").read_text(encoding="utf-8").partition("\n")
        facts = json.loads((folder / "machine.json").read_text(encoding="utf-8"))
        return cls(folder, title.removeprefix("## "), conditions.strip(), facts)

    def rows(self, name: str) -> Rows:
        """Return the rows of one of its CSV files, none without that file."""
        path = self.folder / name
        return read(path) if path.is_file() else []

    def paragraph(self) -> str:
        """Return what the computer is and how it measured, with links to all rows."""
        facts = self.facts
        device = "" if facts["device"] == "cpu" else f", {facts['device']}"
        programs = f"{facts['system']}, Python {facts['python']}, PyTorch {facts['torch']}"
        files = ", ".join(
            f"[{path.stem}](benchmarks/{self.folder.name}/{path.name})" for path in sorted(self.folder.glob("*.csv"))
        )
        return (
            f"**{self.title}**: {facts['processor']}, {facts['threads']} threads, {facts['capability']}{device}; "
            f"{programs}. {self.conditions} All rows: {files}."
        )


def read(path: Path) -> Rows:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def computers() -> list[Computer]:
    """Return the computers that were measured, processors first."""
    found = [Computer.of(path.parent) for path in FOLDER.glob("*/machine.json")]
    return sorted(found, key=lambda one: (one.facts["device"] != "cpu", one.title))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def summary_lines() -> list[tuple[str, str, str]]:
    """Return task, computer and seconds of each line of summary.toml."""
    lines = []
    for line in tomllib.loads((FOLDER / "summary.toml").read_text(encoding="utf-8"))["line"]:
        rows = read(DOCUMENTATION / line["file"])
        chosen = [row for row in rows if all(row[key] == value for key, value in line["where"].items())]
        seconds = statistics.median(float(row[line["column"]]) for row in chosen)
        digits = 0 if seconds >= 10 else 1 if seconds >= 1 else 2
        lines.append((line["task"], line["on"], f"{seconds:.{digits}f}"))
    return lines


def networks(found: Sequence[Computer]) -> str:
    """Return the networks as rows and the processors as columns."""
    measured = [one for one in found if one.facts["device"] == "cpu" and one.rows("networks.csv")]
    titles: dict[tuple[str, str], str] = {}
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for one in measured:
        for row in one.rows("networks.csv"):
            form = _form(row)
            if row["edge"] == "128" and form:
                key = (row["network"], form)
                titles[key] = row["parameters_m"]
                cells.setdefault(key, {})[one.title] = f"{float(row['seconds']):.2f} ({row['ratio_to_ours']})"
    rows = [
        (name, form, titles[name, form], *(columns.get(one.title, "") for one in measured))
        for (name, form), columns in cells.items()
    ]
    return table(("network", "form", "parameters (M)", *(one.title for one in measured)), rows)


def _form(row: dict[str, str]) -> str:
    """Return how a person calls the form of a network, "" for a form that nobody compares."""
    ours = row["network"] == "lightmedseg"
    names = {"plain float32": "as its users run it"}
    if ours:
        names |= {"fast float32": "fast, float32", "fast bfloat16": "fast, bfloat16", "plain float32": "plain"}
    return "" if row["network"].startswith("lightmedseg-") else names.get(f"{row['engine']} {row['precision']}", "")


def on_cuda(found: Sequence[Computer]) -> list[str]:
    """Return the table of networks on each CUDA device."""
    parts = []
    for one in found:
        rows = [
            row
            for row in one.rows("cuda-networks.csv")
            if row["network"] == "lightmedseg" or "channels-last" not in row["engine"]
        ]
        if rows:
            cells = [(row["network"], row["engine"], row["precision"], row["ms"], row["times_ours"]) for row in rows]
            titles = ("network", "engine", "precision", "ms", "times ours")
            parts.append(f"### {one.title}\n\n{table(titles, cells)}")
    return parts


def beside_other_work(found: Sequence[Computer]) -> str:
    """Return the times of a whole head beside busy processes."""
    rows = [
        (one.title, row["model"], row["busy"], row["seconds"], row["times_quiet"])
        for one in found
        for row in one.rows("busy.csv")
        if row["waiting"] == "passive"
    ]
    return table(("computer", "model", "busy processes", "seconds", "times the quiet time"), rows)


def memory(found: Sequence[Computer]) -> str:
    """Return the peak memory of the runs of each scan."""
    runs: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        for row in one.rows("peak-memory.csv"):
            key = (row["scan"], row["voxels"], row["model"], one.title)
            runs.setdefault(key, []).append(f"{int(row['megabytes']) / 1000:.2f}")
    rows = [(*key, ", ".join(peaks)) for key, peaks in runs.items()]
    return table(("scan", "voxels", "model", "computer", "GB"), rows)


def agreement(found: Sequence[Computer]) -> str:
    """Return the Dice of the labels of every faster path with those in float32."""
    rows = [
        (row["model"], one.title, row["way"], row["scans"], row["dice_mean"], row["structure_least"])
        for one in found
        for row in one.rows("agreement.csv")
        if row["way"] != "cpu float32"
    ]
    return table(("model", "computer", "path", "scans", "mean Dice", "lowest structure"), sorted(rows))


def page() -> str:
    """Return the whole page."""
    found = computers()
    section: Callable[[str, str], str] = "## {}\n\n{}".format
    return (
        "\n\n".join(
            [
                HEADER,
                section("In short", f"{table(('task', 'on', 'seconds'), summary_lines())}\n\n{SUMMARY}"),
                section("The network beside others, on processors", f"{NETWORKS}\n\n{networks(found)}"),
                section("The network beside others, on a CUDA device", CUDA),
                *on_cuda(found),
                section("While other programs run", f"{BUSY}\n\n{beside_other_work(found)}"),
                section("How much memory does a run need?", f"{MEMORY}\n\n{memory(found)}"),
                section("Do the faster forms give the same labels?", f"{AGREEMENT}\n\n{agreement(found)}"),
                YOURS,
                section("Computers and conditions", "\n\n".join(one.paragraph() for one in found)),
            ]
        )
        + "\n"
    )


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, page(), __doc__))
