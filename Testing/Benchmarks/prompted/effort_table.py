"""What a person reads of the efforts: sums for each model, and how many structures needed less paint."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from prompted.effort import ENOUGH, Effort


def needing(efforts: Sequence[Effort]) -> list[Effort]:
    """The structures whose prediction is not yet good enough."""
    return [entry for entry in efforts if entry.start < ENOUGH]


def fewer(efforts: Sequence[Effort]) -> float:
    """The part of all painted voxels that completion saves; minus infinity if painting alone needs none."""
    plain = sum(entry.plain_painted for entry in efforts)
    return 1 - sum(entry.painted for entry in efforts) / plain if plain else -math.inf


def summary(efforts: Sequence[Effort], titles: dict[str, str]) -> list[dict[str, Any]]:
    """Rows of the table: each model (titles by group), then all."""
    parts = [(title, [entry for entry in efforts if entry.group == group]) for group, title in titles.items()]
    return [_row(title, needing(own)) for title, own in [*parts, ("all", list(efforts))] if needing(own)]


def short_rows(efforts: Sequence[Effort]) -> list[dict[str, str]]:
    """How many structures needed less, as much and more paint with completion; no row without structures."""
    own = needing(efforts)
    less, same, more = paint_counts(own)
    words = "structures that needed less / as much / more paint with completion"
    return [{"measure": words, "result": f"{less} / {same} / {more} of {len(own)}"}] if own else []


def paint_counts(efforts: Sequence[Effort]) -> tuple[int, int, int]:
    """The numbers of structures with fewer, as many and more painted voxels than by painting alone."""
    apart = [entry.painted - entry.plain_painted for entry in efforts]
    less, more = sum(one < 0 for one in apart), sum(one > 0 for one in apart)
    return less, len(apart) - less - more, more


def _row(title: str, own: Sequence[Effort]) -> dict[str, Any]:
    return {
        "model": title,
        "cases": len({entry.case for entry in own}),
        "structures": len(own),
        "Dice before": f"{statistics.mean(entry.start for entry in own):.3f}",
        "completed": f"{statistics.mean(entry.reached for entry in own):.3f}",
        "painted alone": f"{statistics.mean(entry.plain_reached for entry in own):.3f}",
        f"reached {ENOUGH}": sum(entry.reached >= ENOUGH for entry in own),
        "strokes": sum(entry.strokes for entry in own),
        "strokes, painting alone": sum(entry.plain_strokes for entry in own),
        "voxels": sum(entry.painted for entry in own),
        "voxels, painting alone": sum(entry.plain_painted for entry in own),
        "fewer voxels": _saved(own),
        "structures with less / as much / more paint": " / ".join(str(count) for count in paint_counts(own)),
        "seconds": f"{statistics.median(entry.seconds for entry in own):.2f}",
    }


def _saved(efforts: Sequence[Effort]) -> str:
    part = fewer(efforts)
    return f"{part:.0%}" if math.isfinite(part) else ""
