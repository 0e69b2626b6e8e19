"""The gate: the verdict on whether a fine-tuned model can be adopted, with the reasons as sentences."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from LightMedSegLib.core.labels import Label
from LightMedSegLib.evaluation.metrics import mean_without_nan
from LightMedSegLib.finetuning.gate.advice import next_steps
from LightMedSegLib.finetuning.gate.confusion import Confusion, cross_dice, dice_of
from LightMedSegLib.finetuning.job.settings import FinetuneSettings

_CLEARLY_ANOTHER = 0.3
"""From this Dice of one label's prediction with the other label's correction on, two labels are swapped."""

_LEARNT = 0.2
"""Smallest accepted Dice of a structure that the parent does not have."""

_FEW_VOXELS = 20
"""A prediction of this many voxels or fewer is noise that a correction may have removed."""

_CLEARLY_WORSE = 0.05
"""Dice that a single label may lose if the mean rises."""

_ENOUGH_VOXELS = 100
"""Fewest held-out voxels from which a single structure is judged; a sliver that the cut left shows nothing."""


@dataclass(frozen=True)
class Comparison:
    """Dice of one label before and after over all held-out voxels; nan: in neither. voxels: those with the label."""

    name: str
    before: float
    after: float
    voxels: int


Kind = Literal["mistake", "too_small", "not_better", "worse", "not_learnt", "forgets"]


@dataclass(frozen=True)
class Cause:
    """One reason against a candidate. structure: its label's name, "" for the mean of all. before, after: Dice."""

    kind: Kind
    text: str
    structure: str = ""
    before: float = math.nan
    after: float = math.nan

    def to_json(self) -> dict[str, Any]:
        """Return the cause without its text, which is among the reasons."""
        dice = {"before": _rounded(self.before), "after": _rounded(self.after)}
        return {"kind": self.kind, "structure": self.structure, **dice}


@dataclass(frozen=True)
class Verdict:
    """The gate's decision on a candidate.

    accepted: the candidate is better on the held-out cases and keeps its Dice on the reference set. causes: the reasons
    against it. held_out and reference: one row for each label. next_steps: what the user can do about the causes.
    """

    accepted: bool
    causes: tuple[Cause, ...]
    held_out: tuple[Comparison, ...] = ()
    reference: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = field(default=())
    next_steps: tuple[str, ...] = field(default=())

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the causes as sentences for the user."""
        return tuple(cause.text for cause in self.causes)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for events, reports and the card; a Dice that does not exist is null."""
        return {
            "accepted": self.accepted,
            "reasons": list(self.reasons),
            "causes": [cause.to_json() for cause in self.causes],
            "next_steps": list(self.next_steps),
            "notes": list(self.notes),
            "held_out": _table(self.held_out),
            "reference": _table(self.reference),
        }


def mistakes(
    counts: Confusion, labels: Sequence[Label], reviewed: Collection[int], absent: Collection[int], case: str
) -> list[str]:
    """Return likely mistakes in a correction, found by comparing it with the parent's prediction, a sentence each."""
    found = []
    names = {label.value: label.name for label in labels}
    trusted = [value for value in names if value in reviewed]
    for value in trusted:
        marked, predicted = int(counts[:, value].sum()), int(counts[value].sum())
        if not marked and value not in absent and predicted > _FEW_VOXELS:
            found.append(
                f"In case {case} the correction of {names[value]!r} is empty, although the model finds {predicted} "
                "voxels of it: confirm that it is absent, or complete the correction."
            )
        for other in trusted:
            if other > value and _swapped(counts, value, other):
                found.append(
                    f"In case {case} what is marked as {names[value]!r} lies where the model finds {names[other]!r}, "
                    "and the other way round: are the two labels swapped?"
                )
    return found


def _swapped(counts: Confusion, one: int, other: int) -> bool:
    # In both directions, because a poor model that finds one label everywhere overlaps every other label.
    crossed = min(_number(cross_dice(counts, one, other)), _number(cross_dice(counts, other, one)))
    straight = max(_number(dice_of(counts, one)), _number(dice_of(counts, other)))
    return crossed >= _CLEARLY_ANOTHER and crossed > straight


def compare(before: Confusion, after: Confusion, labels: Sequence[Label], values: Collection[int]) -> list[Comparison]:
    """Return the Dice before and after of the labels in values."""
    return [
        Comparison(
            label.name,
            dice_of(before, label.value),
            dice_of(after, label.value),
            int(before[:, label.value].sum()),
        )
        for label in labels
        if label.value in values
    ]


def judge(
    held_out: Sequence[Comparison],
    reference: Sequence[Comparison],
    settings: FinetuneSettings,
    known: Collection[str],
    scans: int = 1,
) -> Verdict:
    """Return the verdict from both tables. known: names of the parent's labels. scans: number of training scans."""
    against: list[Cause] = []
    notes: list[str] = []
    before, after = mean_dice(held_out)
    if math.isnan(after):
        text = "The corrections are too small to hold a part of them out, so nothing shows an improvement."
        against.append(Cause("too_small", text))
    elif after - before < settings.minimum_gain:
        text = f"It is not better on what was held out of the corrections: Dice {before:.3f} before, {after:.3f} after."
        against.append(Cause("not_better", text, "", before, after))
    else:
        notes.append(f"Better on what was held out of the corrections: Dice {before:.3f} before, {after:.3f} after.")
    for row in held_out:
        enough = row.voxels >= _ENOUGH_VOXELS
        if enough and row.name in known and row.before - row.after > _CLEARLY_WORSE:
            text = f"{row.name} became worse where it was held out: Dice {row.before:.3f} to {row.after:.3f}."
            against.append(Cause("worse", text, row.name, row.before, row.after))
        if row.name not in known and not row.after >= _LEARNT:
            text = (
                f"{row.name} has not been learnt: Dice {_number(row.after):.3f} where it was held out; "
                "add cases, or train for more steps."
            )
            against.append(Cause("not_learnt", text, row.name, row.before, row.after))
    old, new = mean_dice(reference)
    if math.isnan(old):
        notes.append("The model carries no reference set: what it knew before could not be tested.")
    elif old - new > settings.reference_tolerance:
        text = (
            f"It forgets: Dice on the model's reference set falls from {old:.3f} to {new:.3f}, "
            f"more than the {settings.reference_tolerance:g} allowed."
        )
        against.append(Cause("forgets", text, "", old, new))
    else:
        notes.append(f"Dice on the model's reference set: {old:.3f} before, {new:.3f} after.")
    steps = next_steps(against, held_out, scans)
    return Verdict(not against, tuple(against), tuple(held_out), tuple(reference), tuple(notes), steps)


def mean_dice(rows: Sequence[Comparison]) -> tuple[float, float]:
    """Return the mean Dice before and after, over the labels that exist in both."""
    pairs = [(row.before, row.after) for row in rows if not math.isnan(row.before + row.after)]
    return mean_without_nan(pair[0] for pair in pairs), mean_without_nan(pair[1] for pair in pairs)


def _table(rows: Sequence[Comparison]) -> dict[str, Any]:
    before, after = mean_dice(rows)
    if all(math.isnan(row.before) for row in rows):
        after = mean_without_nan(row.after for row in rows)
    return {
        "before": _rounded(before),
        "after": _rounded(after),
        "labels": {row.name: {"before": _rounded(row.before), "after": _rounded(row.after)} for row in rows},
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _number(value: float) -> float:
    return 0.0 if math.isnan(value) else value
