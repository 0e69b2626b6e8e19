"""How much a user paints until a prediction is right: with completion, and by painting alone."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, region_of
from LightMedSegLib.evaluation.metrics import dice
from LightMedSegLib.interaction.strokes import Change, Stroke
from prompted.automatic_user import brush_radius, next_stroke

ENOUGH = 0.95
STROKES = 10


class Correcting(Protocol):
    """A session, as the user needs it."""

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The segment (z, y, x)."""

    def add_stroke(self, stroke: Stroke) -> Change:
        """Take a stroke and complete it."""


@dataclass(frozen=True)
class Effort:
    """The correction of one structure.

    start, reached: Dice of the prediction, and with completion once it is ENOUGH or STROKES are painted. strokes,
    painted: how many, and how many voxels of them, until then. plain_strokes, plain_painted: the same for painting
    alone until Dice is as high; of a last stroke that goes beyond that, a part of the voxels counts. plain_reached:
    Dice of painting alone after as many strokes as with completion. least: the lowest change of Dice by a stroke with
    completion. seconds: of an update, the median.
    """

    group: str
    case: str
    structure: str
    start: float
    reached: float
    strokes: int
    painted: int
    plain_reached: float
    plain_strokes: int
    plain_painted: int
    least: float
    seconds: float

    def row(self) -> dict[str, Any]:
        """The effort as a row of a CSV file."""
        return {key: f"{value:.4f}" if isinstance(value, float) else value for key, value in asdict(self).items()}

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> Effort:
        """The effort of a row of a CSV file."""
        kinds = {"str": str, "int": int, "float": float}
        return cls(**{field.name: kinds[str(field.type)](row[field.name]) for field in fields(cls)})


def effort(
    names: tuple[str, str, str],
    session: Correcting,
    prediction: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    grid: Grid,
) -> Effort:
    """The effort for a structure (names: group, case, structure), whose session starts from prediction.

    The user paints with one brush, at the deepest error each time and only what is wrong there. What painting alone
    needs for the same Dice is 0 where completion ends no better than the prediction was.
    """
    radius = brush_radius(truth, grid)
    start = dice(prediction, truth)
    scores, painted, seconds = [start], 0, []
    while scores[-1] < ENOUGH and len(scores) <= STROKES:
        stroke = next_stroke(session.mask, truth, grid, radius)
        assert stroke is not None, "a mask without an error has Dice 1"
        seconds.append(session.add_stroke(stroke).seconds)
        painted += int(stroke.voxels.sum())
        scores.append(dice(session.mask, truth))
    target, strokes = min(ENOUGH, scores[-1]), len(scores) - 1
    plain, plain_painted = [start], [0]
    mask = prediction.copy()
    needed: tuple[int, int] | None = None
    while needed is None or len(plain) <= strokes:
        if needed is None and plain[-1] >= target:
            needed = len(plain) - 1, _until(target, plain, plain_painted)
            continue
        stroke = next_stroke(mask, truth, grid, radius)
        if stroke is None:
            break
        mask[region_of(stroke.box)][stroke.voxels] = stroke.include
        plain_painted.append(plain_painted[-1] + int(stroke.voxels.sum()))
        plain.append(dice(mask, truth))
    assert needed is not None, "painting alone reaches Dice 1"
    return Effort(
        *names, start=start, reached=scores[-1], strokes=strokes, painted=painted,
        plain_reached=plain[min(strokes, len(plain) - 1)], plain_strokes=needed[0], plain_painted=needed[1],
        least=min(np.diff(scores), default=0.0), seconds=statistics.median(seconds) if seconds else 0.0,
    )  # fmt: skip


def _until(target: float, scores: list[float], painted: list[int]) -> int:
    """The voxels painted until Dice was target, which the last score is the first to reach.

    ENOUGH ends both ways of painting after a whole stroke. The Dice that completion ended with lies within a stroke of
    painting alone, so a part of that stroke counts.
    """
    if target >= ENOUGH or len(scores) == 1:
        return painted[-1]
    return round(float(np.interp(target, scores[-2:], painted[-2:])))
