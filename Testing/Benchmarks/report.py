"""Benchmark rows as CSV files, Markdown tables and a plot."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """One line per row, columns as in the first row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of rows."""
    columns = list(rows[0])
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(str(row[column]) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def plot(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Seconds over multiply-adds, one point per network and engine; lines of equal speed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    edge = max(row["edge"] for row in rows)
    figure, axes = pyplot.subplots(figsize=(8, 5.5))
    for row in (row for row in rows if row["edge"] == edge):
        ours = row["network"].startswith("lightmedseg")
        marker = {"plain": "o", "channels-last": "s", "fast": "*", "recorded": "*"}[row["engine"]]
        axes.scatter(row["gmac"], row["seconds"], marker=marker, color="tab:red" if ours else "tab:blue")
        label = row["network"] if row["engine"] == "plain" else f"{row['network']}, {row['engine']}"
        axes.annotate(
            f"{label} ({row['precision']})",
            (row["gmac"], row["seconds"]),
            fontsize=6,
            xytext=(4, 3),
            textcoords="offset points",
        )
    axes.set(xscale="log", yscale="log", xlabel="multiply-adds, 10^9", ylabel="seconds, median")
    axes.set_title(f"One volume of {edge} voxels cubed")
    axes.grid(alpha=0.3, which="both")
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
