"""The rounds of prompt and answer on one structure, and their record."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.evaluation.metrics import dice
from LightMedSegLib.interaction.strokes import Stroke
from prompted.automatic_user import brush_radius, next_prompt

PROMPTS = 10


class Method(Protocol):
    """What is compared: it starts on one structure of one scan and answers to one prompt after the other."""

    def answer(self, stroke: Stroke) -> NDArray[np.bool_]:
        """The mask (z, y, x) of the volume after one more prompt."""


@dataclass(frozen=True)
class Rounds:
    """One structure and one method: Dice after each prompt.

    prompts: + for an included and - for an excluded one. seconds, processor_seconds: of an update, the median; the
    second does not depend on what else the machine does.
    """

    group: str
    case: str
    structure: str
    method: str
    prompts: str
    seconds: float
    processor_seconds: float
    dice: tuple[float, ...]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells the rounds of a table apart."""
        return self.group, self.case, self.structure, self.method

    def row(self) -> dict[str, Any]:
        """The rounds as a row of a CSV file."""
        scores = {f"dice_{number}": f"{score:.4f}" for number, score in enumerate(self.dice, 1)}
        return {
            "group": self.group, "case": self.case, "structure": self.structure, "method": self.method,
            "prompts": self.prompts, "seconds": f"{self.seconds:.3f}",
            "processor_seconds": f"{self.processor_seconds:.3f}", **scores,
        }  # fmt: skip

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> Rounds:
        """The rounds of a row of a CSV file."""
        scores = tuple(float(value) for key, value in row.items() if key.startswith("dice_"))
        names = (row[key] for key in ("group", "case", "structure", "method", "prompts"))
        return cls(*names, float(row["seconds"]), float(row["processor_seconds"]), scores)


def play(
    names: tuple[str, str, str, str], method: Method, truth: NDArray[np.bool_], grid: Grid, prompts: int = PROMPTS
) -> Rounds:
    """The rounds of a method on a structure; names are those of their key.

    Once the mask is right everywhere it stays so.
    """
    radius = brush_radius(truth, grid)
    mask = np.zeros(truth.shape, dtype=bool)
    scores: list[float] = []
    kinds = ""
    times: list[tuple[float, float]] = []
    for _ in range(prompts):
        stroke = next_prompt(mask, truth, grid, radius)
        if stroke is not None:
            start = time.perf_counter(), time.process_time()
            mask = method.answer(stroke)
            times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
            kinds += "+" if stroke.include else "-"
        scores.append(dice(mask, truth))
    seconds, processor_seconds = (statistics.median(each) for each in zip(*times, strict=True))
    return Rounds(*names, kinds, seconds, processor_seconds, tuple(scores))
