"""Detection of divergence from the losses of a training."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from typing import Any

LONG, SHORT = 100, 20
"""Number of losses in the medians that detect a slow and a sudden climb."""
_LOST = 3


class LossWatch:
    """Compares the medians of the latest losses with the lowest median so far.

    A median ignores single bad steps. The lowest one is the reference because the latest rises with a slow climb.
    Losses near zero vary by large factors without harm, so each limit has an absolute part.
    """

    def __init__(self) -> None:
        self._losses: deque[float] = deque(maxlen=LONG)
        self._started = False
        self.lowest = math.inf

    def add(self, losses: Sequence[float]) -> None:
        """Add the losses of steps, oldest first."""
        self._losses.extend(value if math.isfinite(value) else math.inf for value in losses)
        if len(self._losses) == LONG:
            self._started = True
            self.lowest = min(self.lowest, self.median())
        elif not self._started and len(self._losses) >= SHORT:
            self.lowest = min(self.lowest, self.median(SHORT))

    def median(self, count: int = LONG) -> float:
        """Return the median of the latest count losses; infinite if half of them are not finite."""
        latest = list(self._losses)[-count:]
        return statistics.median(latest) if latest else math.inf

    @property
    def diverged(self) -> bool:
        """Return whether the latest losses are not finite, or their median is far above the lowest one."""
        losses = list(self._losses)
        if len(losses) >= _LOST and all(math.isinf(value) for value in losses[-_LOST:]):
            return True
        sudden = len(losses) >= SHORT and self.median(SHORT) > 3 * self.lowest + 0.5
        return sudden or (len(losses) == LONG and self.median() > 1.5 * self.lowest + 0.15)

    @property
    def healthy(self) -> bool:
        """Return whether the median is near the lowest one, so that the present weights are worth keeping."""
        return len(self._losses) == LONG and self.median() <= 1.1 * self.lowest + 0.03

    def forget(self, lowest: float) -> None:
        """Discard the losses so far, and use lowest as the reference; infinite if there is none."""
        self._losses.clear()
        self.lowest, self._started = lowest, math.isfinite(lowest)

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint as JSON types; JSON has no infinity."""
        losses = [value if math.isfinite(value) else None for value in self._losses]
        return {"losses": losses, "lowest": self.lowest if math.isfinite(self.lowest) else None}

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from state()."""
        self.forget(math.inf if state["lowest"] is None else float(state["lowest"]))
        self._losses.extend(math.inf if value is None else float(value) for value in state["losses"])
