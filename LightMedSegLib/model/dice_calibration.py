"""How a model's confidence relates to the Dice that it reaches, measured on validation cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from LightMedSegLib.core.records.item_types import Count
from LightMedSegLib.core.records.limits import Limits

_Coefficient = Annotated[float, Limits(minimum=-100, maximum=100)]


@dataclass(frozen=True)
class DiceCalibration:
    """The expected Dice of a structure is intercept + slope * its mean confidence, between 0 and 1.

    mean_absolute_error: of the expected Dice of one structure in one scan, each case of cases judged by the others.
    """

    intercept: _Coefficient
    slope: _Coefficient
    mean_absolute_error: Annotated[float, Limits(minimum=0, maximum=1)]
    cases: Count
