"""The verdict on the first version of a new model: no earlier version exists that it could be compared with."""

from __future__ import annotations

import math
from collections.abc import Sequence

from LightMedSegLib.evaluation.metrics import mean_without_nan
from LightMedSegLib.finetuning.gate.advice import first_steps
from LightMedSegLib.finetuning.gate.gate import Cause, Comparison, Verdict

OF_USE = 0.5
"""Least mean Dice of a new model where it was held out; below it, painting from scratch costs less than correcting."""

LEAST = 0.2
"""Least Dice of each of its structures."""


def judge_first(held_out: Sequence[Comparison], scans: int, parts: int) -> Verdict:
    """Return the verdict from the Dice of what was held out by turns.

    held_out: rows without a Dice before. scans: number of training scans. parts: number of trainings with a test.
    """
    against: list[Cause] = []
    notes = ["It is the first version, so there is no other to compare it with."]
    mean = mean_without_nan(row.after for row in held_out)
    if math.isnan(mean):
        text = "The structures are too small to hold a part of them out, so nothing shows what was learnt."
        against.append(Cause("too_small", text))
    else:
        notes += [_tested(scans, parts), f"Dice where it was held out: {mean:.3f}; at least {OF_USE:g} is of use."]
        if mean < OF_USE:
            text = f"It is not of use yet: Dice {mean:.3f} where it was held out, less than {OF_USE:g}."
            against.append(Cause("not_learnt", text, "", after=mean))
        for row in held_out:
            if row.voxels and not row.after >= LEAST:
                after = 0.0 if math.isnan(row.after) else row.after
                text = f"{row.name} has not been learnt: Dice {after:.3f} where it was held out, less than {LEAST:g}."
                against.append(Cause("not_learnt", text, row.name, after=after))
    return Verdict(not against, tuple(against), tuple(held_out), (), tuple(notes), first_steps(against, scans))


def _tested(scans: int, parts: int) -> str:
    if scans == 1:
        return (
            "There is one scan: a training on one half of its structures was tested on the other half. How well it "
            "does on other scans is not known."
        )
    if parts == scans:
        return f"Each of the {scans} scans was tested by a training on the others. Other scanners were not tested."
    return (
        f"The {scans} scans were tested in {parts} groups, each by a training on the others. Other scanners were not "
        "tested."
    )
