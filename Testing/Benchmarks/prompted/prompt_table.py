"""What a person reads of the rounds: means of each group and method, structures, and the goals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from prompted.prompt_methods import METHODS, OURS, TOLD
from prompted.prompt_rounds import Rounds

SHOWN = (1, 3, 5, 10)
GOOD_DICE, GOOD_PROMPTS, MARGIN_PROMPTS = 0.85, 5, 3


def mean_dice(rounds: Sequence[Rounds], prompts: int) -> float:
    """Mean Dice after so many prompts."""
    return statistics.mean(entry.dice[prompts - 1] for entry in rounds)


def of(rounds: Sequence[Rounds], method: str, group: str | None = None) -> list[Rounds]:
    """The rounds of a method, in one group or in all."""
    return [entry for entry in rounds if entry.method == method and group in (None, entry.group)]


def present(rounds: Sequence[Rounds]) -> list[str]:
    """The methods that the rounds have, in the table's order."""
    found = {entry.method for entry in rounds}
    return [method for method in METHODS if method in found]


def summary(rounds: Sequence[Rounds], titles: dict[str, str]) -> list[dict[str, Any]]:
    """Rows of the table: each group (titles by name) with each method, then the mean of the groups."""
    rows = []
    for group, title in titles.items():
        for method in present(rounds):
            own = of(rounds, method, group)
            if own:
                rows.append(_row(f"{title} ({len(own)})", method, [mean_dice(own, n) for n in SHOWN], own))
    for method in present(rounds):
        rows.append(_row("mean of the groups", method, group_means(rounds, method), of(rounds, method)))
    return rows


def group_means(rounds: Sequence[Rounds], method: str) -> list[float]:
    """Dice of a method after each of SHOWN, the mean of the groups' means."""
    groups = dict.fromkeys(entry.group for entry in rounds)
    parts = [own for own in (of(rounds, method, group) for group in groups) if own]
    return [statistics.mean(mean_dice(own, n) for own in parts) for n in SHOWN]


def structure_rows(rounds: Sequence[Rounds]) -> list[dict[str, Any]]:
    """Our Dice for each structure, the mean of its cases, and how often it was told too much or too little."""
    rows = []
    own = of(rounds, OURS)
    for group, structure in dict.fromkeys((entry.group, entry.structure) for entry in own):
        entries = [entry for entry in own if (entry.group, entry.structure) == (group, structure)]
        prompts = "".join(entry.prompts for entry in entries)
        rows.append(
            {
                "structure": f"{structure} ({len(entries)})",
                **{f"after {n}": f"{mean_dice(entries, n):.2f}" for n in SHOWN},
                "included": prompts.count("+"),
                "excluded": prompts.count("-"),
            }
        )
    return rows


def goal_rows(rounds: Sequence[Rounds], unseen: Sequence[str]) -> list[dict[str, str]]:
    """The goals and what was reached; unseen are the groups of structures that no training saw."""
    if not of(rounds, OURS):
        return []
    place = SHOWN.index(MARGIN_PROMPTS)
    ours = group_means(rounds, OURS)[place]
    rows = []
    for told, words in ((False, "given the same"), (True, "that is also told the object's box")):
        others = [name for name in present(rounds) if name != OURS and name.endswith(TOLD) == told]
        if others:
            best = max(others, key=lambda name: group_means(rounds, name)[place])
            margin = ours - group_means(rounds, best)[place]
            rows.append(
                _goal(
                    f"Dice after {MARGIN_PROMPTS} prompts above the best classical method {words}",
                    "" if told else "at least 0.15",
                    f"{margin:+.2f} ({best.removesuffix(TOLD)})",
                )
            )
    fresh = [entry for entry in of(rounds, OURS) if entry.group in unseen]
    good = sum(max(entry.dice[:GOOD_PROMPTS]) >= GOOD_DICE for entry in fresh)
    if fresh:
        rows.append(
            _goal(
                f"structures never trained on with Dice {GOOD_DICE} within {GOOD_PROMPTS} prompts",
                "half",
                f"{good} of {len(fresh)}",
            )
        )
    return rows


def _row(cases: str, method: str, scores: Sequence[float], rounds: Sequence[Rounds]) -> dict[str, Any]:
    shown = {f"after {n}": f"{score:.2f}" for n, score in zip(SHOWN, scores, strict=True)}
    seconds = statistics.median(entry.processor_seconds for entry in rounds)
    return {"cases": cases, "method": method, **shown, "processor seconds": f"{seconds:.2f}"}


def _goal(words: str, goal: str, reached: str) -> dict[str, str]:
    return {"goal": words, "wanted": goal, "reached": reached}
