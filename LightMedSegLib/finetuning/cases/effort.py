"""What a correction took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from LightMedSegLib.core.records.limits import Limits

Count = Annotated[int, Limits(minimum=0, maximum=10_000_000)]


@dataclass(frozen=True)
class Effort:
    """Seconds of active work, and strokes, from a result until it was accepted as a case."""

    seconds: Count
    strokes: Count
