"""Advice for the user: before a fine-tuning that can show little, and after one that the gate rejected."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from LightMedSegLib.finetuning.cases.same_scan import by_scan

if TYPE_CHECKING:
    from LightMedSegLib.finetuning.cases.record import CaseRecord
    from LightMedSegLib.finetuning.gate.gate import Cause, Comparison

_SMALL_CORRECTION = 0.9
"""From this Dice of prediction and correction on, there is little left to learn."""

_ENOUGH_SCANS = 3
_WORSE = 0.01
_MOST_NAMES = 3


def before_run(records: Sequence[CaseRecord]) -> str:
    """Return what to expect of a job with these cases; "" if the gate can judge it well."""
    if len(by_scan(records)) != 1:
        return ""
    means = [record.baseline_dice.mean for record in records if record.baseline_dice is not None]
    known = [mean for mean in means if not math.isnan(mean)]
    if known and min(known) >= _SMALL_CORRECTION:
        return (
            f"Little can be shown with this one scan: the model agreed with your correction already (Dice "
            f"{min(known):.3f}), and only half of it can be held out for the test. First add scans on which the model "
            "goes wrong."
        )
    return (
        "One scan is little to learn from, and only half of it can be held out for the test: small improvements "
        f"cannot be shown. {_ENOUGH_SCANS} scans or more are better."
    )


def next_steps(causes: Sequence[Cause], held_out: Sequence[Comparison], scans: int) -> tuple[str, ...]:
    """Return what the user can do about a rejected version, one sentence each, most promising first."""
    kinds = {cause.kind for cause in causes}
    steps = []
    if "mistake" in kinds:
        steps.append("Fix the corrections named above, add them again, and start once more.")
    if "too_small" in kinds:
        steps.append("Add another corrected scan, or review a larger part of this one.")
    for cause in causes:
        if cause.kind == "not_better" and cause.before >= _SMALL_CORRECTION:
            steps.append(
                f"The model agreed with your corrections almost everywhere before (Dice {cause.before:.3f}): add scans "
                "on which it goes wrong, or keep using the present version."
            )
    worse = _worse(causes, held_out)
    if worse:
        steps.append(
            f"Look again at your corrections of {_listed(worse)}, which became worse, and add scans that show it."
        )
    not_learnt = [cause.structure for cause in causes if cause.kind == "not_learnt"]
    if not_learnt:
        steps.append(f"Add scans that show {_listed(not_learnt)}.")
    if scans < _ENOUGH_SCANS and kinds & {"not_better", "worse", "not_learnt"}:
        count = "one scan is" if scans == 1 else f"{scans} scans are"
        steps.append(
            f"Add corrected scans: {count} little to learn from and to test on. With {_ENOUGH_SCANS}, each is tested "
            "by a training on the others."
        )
    if "forgets" in kinds:
        steps.append(
            "Add corrected scans like those that the model was trained for, or use the new version only for scans like "
            "the corrected ones."
        )
    return tuple(steps)


def first_steps(causes: Sequence[Cause], scans: int) -> tuple[str, ...]:
    """Return what the user can do about the rejected first version of a new model, one sentence each."""
    if not causes:
        return ()
    named = [cause.structure for cause in causes if cause.structure]
    steps = [f"Look again at the segments of {_listed(named)}."] if named else []
    more = f"scans until there are at least {_ENOUGH_SCANS}" if scans < _ENOUGH_SCANS else "other scans"
    return (*steps, f"Add {more}, with the same structures segmented completely, and train again.")


def _worse(causes: Sequence[Cause], held_out: Sequence[Comparison]) -> list[str]:
    """Return the names of the structures that lost most, if a loss is among the causes."""
    if not {cause.kind for cause in causes} & {"not_better", "worse"}:
        return []
    named = [cause.structure for cause in causes if cause.kind == "worse"]
    lost = sorted((row for row in held_out if row.before - row.after > _WORSE), key=lambda row: row.after - row.before)
    return list(dict.fromkeys([*named, *(row.name for row in lost)]))


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:_MOST_NAMES]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
