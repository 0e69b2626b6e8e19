"""Between what limits the structures of a model lie: their volumes, and where they lie seen from each other."""

from __future__ import annotations

from dataclasses import dataclass, field

from LightMedSegLib.core.records.item_types import LabelValue

Range = tuple[float, float]

_MAY_LACK = {"omit_empty": True}


@dataclass(frozen=True)
class LabelRange:
    """What is plausible for the label ``value``, from training cases with room on both sides.

    volume_ml: least and largest volume. origin: the label from whose centroid offset_mm is measured, None for no limits
    of place. offset_mm: along x, y, z in LPS; both or neither.
    """

    value: LabelValue
    volume_ml: Range
    origin: LabelValue | None = field(default=None, metadata=_MAY_LACK)
    offset_mm: tuple[Range, Range, Range] | None = field(default=None, metadata=_MAY_LACK)
