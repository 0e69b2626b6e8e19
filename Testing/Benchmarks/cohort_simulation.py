"""Throughput of a cohort over the number of workers, simulated from measured seconds."""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORKERS = (1, 2, 4, 8, 16, 32, 64)


def makespan(seconds: Sequence[float], workers: int, start: float, overhead: float) -> float:
    """Seconds until workers have done tasks that take these seconds, each handed out when a worker is free.

    start: until a worker can begin, the same for all. overhead: seconds for which the one scheduler is busy for a task.
    """
    free = [start] * workers
    scheduler = 0.0
    for one in seconds:
        begin = heapq.heappop(free)
        scheduler = max(scheduler, begin) + overhead
        heapq.heappush(free, scheduler + one)
    return max(free)


def curve(
    seconds: Sequence[float], scans: int, start: float, overheads: dict[str, float], workers: Sequence[int] = WORKERS
) -> list[dict[str, Any]]:
    """Rows of scans an hour and efficiency for each kind of executor and number of workers.

    seconds: measured ones, from which those of so many scans are drawn. Every worker has processors of its own: what
    workers take from each other, as memory bandwidth, is not simulated.
    """
    drawn = random.Random(0).choices(list(seconds), k=scans)
    rows = []
    for name, overhead in overheads.items():
        for count in workers:
            total = makespan(drawn, count, start, overhead)
            rows.append(
                {
                    "executor": name,
                    "workers": count,
                    "scans": scans,
                    "hours": round(total / 3600, 3),
                    "scans_an_hour": round(3600 * scans / total, 1),
                    "efficiency": round((start + sum(drawn)) / (count * total), 3),
                }
            )
    return rows


def plot_curve(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Scans an hour over workers, one line for each executor, beside the line of no loss."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name in dict.fromkeys(row["executor"] for row in rows):
        own = [row for row in rows if row["executor"] == name]
        axes.plot([row["workers"] for row in own], [row["scans_an_hour"] for row in own], marker="o", label=name)
    one, last = rows[0]["scans_an_hour"], max(row["workers"] for row in rows)
    axes.plot([1, last], [one, one * last], linestyle=":", color="gray", label="no loss")
    axes.set(xscale="log", yscale="log", xlabel="workers", ylabel="scans an hour")
    axes.set_xticks(WORKERS, [str(count) for count in WORKERS])
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
