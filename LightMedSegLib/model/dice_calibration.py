"""How a model's confidence relates to the Dice that it reaches, measured on validation cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from LightMedSegLib.core.records.item_types import Count, LabelValue
from LightMedSegLib.core.records.limits import Limits

_Coefficient = Annotated[float, Limits(minimum=-100, maximum=100)]


@dataclass(frozen=True)
class DiceOffset:
    """How much better or worse than others of the same confidence the label ``value`` is."""

    value: LabelValue
    dice: _Coefficient


@dataclass(frozen=True)
class DiceCalibration:
    """The expected Dice of a structure is intercept + slope * its mean confidence + its offset, between 0 and 1.

    mean_absolute_error: of the expected Dice of one structure in one scan, each case of cases judged by the others.
    Labels without an entry in offsets have the offset 0.
    """

    intercept: _Coefficient
    slope: _Coefficient
    mean_absolute_error: Annotated[float, Limits(minimum=0, maximum=1)]
    cases: Count
    offsets: Annotated[tuple[DiceOffset, ...], Limits(maxItems=255)] = field(default=(), metadata={"omit_empty": True})

    def __call__(self, value: int, confidence: float) -> float:
        """The Dice, 0 to 1, to expect of the label value where its mean confidence is this."""
        offset = next((one.dice for one in self.offsets if one.value == value), 0.0)
        expected = self.intercept + self.slope * confidence + offset
        return min(1.0, max(0.0, expected))
