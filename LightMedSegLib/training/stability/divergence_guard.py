"""Recovery of a diverged training: return to earlier weights, with a lower learning rate."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.training.stability.loss_watch import SHORT, LossWatch

RATE_FACTOR = 0.5
"""Factor of the learning rate at each return."""
WARM_UP_STEPS = 50
_KEEP_STEPS = 200


@dataclass(frozen=True)
class Recovery:
    """A return from step to the weights of step good; loss and usual are medians, infinite where nothing is finite."""

    step: int
    good: int
    loss: float
    usual: float


@dataclass(frozen=True)
class _Good:
    """Averaged weights to return to, and the lowest median of the losses up to them."""

    step: int
    weights: dict[str, torch.Tensor]
    lowest: float


class DivergenceGuard:
    """Watches the losses, keeps the last good averaged weights, and decides when to return to them.

    It keeps the two latest good states, some hundred steps apart, and returns to the older one, because the newer one
    may be from after the start of the divergence. Until there is one, the initial weights of the run are used.
    """

    def __init__(self, allowed: int, step: int, average: Mapping[str, torch.Tensor]) -> None:
        self._allowed = allowed
        self._watch = LossWatch()
        self._good: deque[_Good] = deque([self._state_of(step, average)], maxlen=2)
        self._only_start = True
        self._seen_finite = False
        self.recoveries: list[Recovery] = []

    def rate_factor(self, step: int) -> float:
        """Return the factor of the scheduled learning rate at step."""
        if not self.recoveries:
            return 1.0
        warm_up = min(1.0, (step - self.recoveries[-1].step + 1) / WARM_UP_STEPS)
        return float(RATE_FACTOR ** len(self.recoveries) * warm_up)

    @property
    def rate_percent(self) -> float:
        """Remaining percentage of the scheduled learning rate after the warm-up."""
        return float(100 * RATE_FACTOR ** len(self.recoveries))

    def look(self, step: int, losses: Sequence[float], average: Mapping[str, torch.Tensor]) -> Recovery | None:
        """Check the losses of the steps before step; return a Recovery if the run must return to good_weights().

        Raises TrainingDataError when no return is left, or when no loss was ever finite.
        """
        self._watch.add(losses)
        self._seen_finite = self._seen_finite or any(value < math.inf for value in losses)
        if not self._watch.diverged:
            if self._watch.healthy and (self._only_start or step - self._good[-1].step >= _KEEP_STEPS):
                if self._only_start:
                    self._good.clear()
                self._only_start = False
                self._good.append(self._state_of(step, average))
            return None
        good = self._good[0]
        recovery = Recovery(step, good.step, self._watch.median(SHORT), self._watch.lowest)
        if len(self.recoveries) >= self._allowed or not self._seen_finite:
            raise TrainingDataError(self._sentence(recovery))
        self.recoveries.append(recovery)
        self._good.clear()
        self._good.append(good)
        self._watch.forget(good.lowest)
        return recovery

    def good_weights(self) -> dict[str, torch.Tensor]:
        """Return the averaged weights to return to."""
        return self._good[0].weights

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint, without good_weights(), as JSON types."""
        recoveries = [
            {**dataclasses.asdict(item), "loss": str(item.loss), "usual": str(item.usual)} for item in self.recoveries
        ]
        good = {"step": self._good[0].step, "lowest": str(self._good[0].lowest), "only_start": self._only_start}
        return {"watch": self._watch.state(), "recoveries": recoveries, "good": good}

    def restore(self, state: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> None:
        """Resume from state() and good_weights(); checkpoints from before this class have neither."""
        if not state:
            return
        self._watch.restore(state["watch"])
        if "good" in state:
            # Those of the checkpoint itself may have been taken when a divergence had begun but did not show yet.
            good, device = state["good"], next(iter(self._good[0].weights.values())).device
            kept = {name: value.to(device) for name, value in weights.items()}
            self._good[0] = _Good(int(good["step"]), kept, float(good["lowest"]))
            self._only_start = bool(good["only_start"])
        else:
            self._good[0] = dataclasses.replace(self._good[0], lowest=self._watch.lowest)
        self._seen_finite = self._watch.lowest < math.inf
        self.recoveries = [
            Recovery(int(item["step"]), int(item["good"]), float(item["loss"]), float(item["usual"]))
            for item in state["recoveries"]
        ]

    def _state_of(self, step: int, average: Mapping[str, torch.Tensor]) -> _Good:
        return _Good(step, {name: value.detach().clone() for name, value in average.items()}, self._watch.lowest)

    def _sentence(self, last: Recovery) -> str:
        times = f"after {len(self.recoveries)} returns to earlier weights " if self.recoveries else ""
        return (
            f"The training diverged {times}before step {last.step} (loss {last.loss:.4g}); "
            "lower optimizer.learning_rate and start from an earlier run or from the beginning."
        )


def most_changed(found: Mapping[str, torch.Tensor], good: Mapping[str, torch.Tensor], count: int = 3) -> str:
    """Return the tensors whose norm changed most against the good ones, as text: the origin of the divergence."""

    def norm(value: torch.Tensor) -> float:
        return float(value.detach().float().norm())

    changes = {
        name: norm(found[name] - value) / (norm(value) + 1e-3)
        for name, value in good.items()
        if value.is_floating_point()
    }
    # What is not finite comes first.
    order = sorted(changes, key=lambda name: changes[name] if math.isfinite(changes[name]) else math.inf, reverse=True)
    return ", ".join(f"{name} (norm {norm(good[name]):.3g} to {norm(found[name]):.3g})" for name in order[:count])
