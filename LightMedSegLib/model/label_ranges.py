"""Between what limits the structures of a model lie: their volumes, and where they lie seen from each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Range = tuple[float, float]


@dataclass(frozen=True)
class LabelRange:
    """What is plausible for the label ``value``, from training cases with room on both sides.

    volume_ml: least and largest volume. origin: the label from whose centroid offset_mm is measured, None for no limits
    of place. offset_mm: along x, y, z in LPS.
    """

    value: int
    volume_ml: Range
    origin: int | None = None
    offset_mm: tuple[Range, Range, Range] | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LabelRange:
        """From a validated entry of a card's "ranges"."""
        low, high = data["volume_ml"]
        if "origin" not in data:
            return cls(int(data["value"]), (float(low), float(high)))
        x, y, z = ((float(first), float(last)) for first, last in data["offset_mm"])
        return cls(int(data["value"]), (float(low), float(high)), int(data["origin"]), (x, y, z))

    def to_json(self) -> dict[str, Any]:
        """The entry that from_json reads."""
        data: dict[str, Any] = {"value": self.value, "volume_ml": list(self.volume_ml)}
        if self.offset_mm is not None:
            data.update(origin=self.origin, offset_mm=[list(limits) for limits in self.offset_mm])
        return data
