"""The gate's tables and verdict from the counts of a job."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from LightMedSegLib.core.labels import Label
from LightMedSegLib.finetuning.gate.confusion import Confusion, Counts
from LightMedSegLib.finetuning.gate.first_version import judge_first
from LightMedSegLib.finetuning.gate.gate import Comparison, Verdict, compare, judge
from LightMedSegLib.finetuning.job.settings import FinetuneSettings


@dataclass(frozen=True)
class JobTables:
    """labels: of the job, with the values from 1. known: how many of them the parent has, with the background.

    reviewed: values that were reviewed in any case. scans: number of training scans. parts: trainings with a test.
    guarded: whether the parent has a reference set. first: the parent is a draft, which has no Dice.
    """

    labels: tuple[Label, ...]
    known: int
    reviewed: frozenset[int]
    scans: int
    parts: int
    guarded: bool
    first: bool

    def verdict(
        self, before: Counts, after: Counts, old: Confusion, new: Confusion, settings: FinetuneSettings
    ) -> Verdict:
        """Return the verdict. before, after: what was held out. old, new: the reference set."""
        held_out = self._held_out(before, after, self.reviewed)
        if self.first:
            return judge_first(held_out, self.scans, self.parts)
        known = {label.name for label in self._known_labels}
        return judge(held_out, self.reference(old, new), settings, known, self.scans)

    def reference(self, old: Confusion, new: Confusion) -> list[Comparison]:
        """Return the rows of the reference set; none without one."""
        known = self._known_labels
        return compare(old, new, known, {label.value for label in known}) if self.guarded else []

    def scores(self, before: Counts, after: Counts) -> dict[str, Any]:
        """Return the part of an event that tells the Dice on what is held out."""
        rows = self._held_out(before, after, range(1, len(self.labels) + 1))
        return {"held_out": Verdict(False, (), tuple(rows)).to_json()["held_out"]}

    @property
    def _known_labels(self) -> Sequence[Label]:
        return [label for label in self.labels if label.value < self.known]

    def _held_out(self, before: Counts, after: Counts, values: Collection[int]) -> list[Comparison]:
        rows = compare(self._total(before), self._total(after), self.labels, values)
        return [replace(row, before=math.nan) for row in rows] if self.first else rows

    def _total(self, counts: Counts) -> Confusion:
        classes = len(self.labels) + 1
        total: Confusion = np.zeros((classes, classes), dtype=np.int64)
        for matrix in counts.values():
            total = total + matrix
        return total
