"""Other measures of doubt in the place of the margin between the two greatest logits, to compare them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from LightMedSegLib.inference import logit_resampling
from LightMedSegLib.inference.logit_resampling import Best

_SMALLEST = 1e-6


def _margin_of_probabilities(probabilities: torch.Tensor) -> torch.Tensor:
    two = probabilities.topk(2, dim=-1).values
    return 1 - (two[..., 0] - two[..., 1])


def _entropy(probabilities: torch.Tensor) -> torch.Tensor:
    """In bits, of two equally likely classes 1."""
    return torch.special.entr(probabilities).sum(dim=-1) / torch.log(torch.tensor(2.0))


def _error(probabilities: torch.Tensor) -> torch.Tensor:
    """Twice the probability that the label is wrong."""
    return 2 * (1 - probabilities.amax(dim=-1))


MEASURES: dict[str, Callable[[torch.Tensor], torch.Tensor] | None] = {
    "two greatest logits": None,
    "margin of probabilities": _margin_of_probabilities,
    "entropy": _entropy,
    "probability of an error": _error,
}
"""By name, doubt (0 to 1, above 1 is cut) from the probabilities of all classes; None for what the engine has."""


@contextmanager
def measured_by(name: str) -> Iterator[None]:
    """The engine's doubt is that of MEASURES[name] during the block."""
    measure, own = MEASURES[name], logit_resampling.best_two

    def best(logits: torch.Tensor) -> Best:
        assert measure is not None
        doubt = measure(logits.softmax(dim=-1)).clamp(_SMALLEST, 1.0)
        return Best(logits.argmax(dim=-1).to(torch.uint8), -torch.logit(doubt / 2))

    logit_resampling.best_two = own if measure is None else best
    try:
        yield
    finally:
        logit_resampling.best_two = own
