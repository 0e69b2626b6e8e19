"""The share of a fine-tuning's weight changes that is kept: the largest that does not make the model forget.

Weights between the parent's and the tuned ones keep most of the gain and lose less elsewhere (Wortsman et al., "Robust
fine-tuning of zero-shot models", CVPR 2022). Only the reference set decides the share, so that the held-out
corrections remain an honest test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch

from LightMedSegLib.finetuning.tuning.forgetting import class_weights
from LightMedSegLib.network.head import classes_of_block

Weights = dict[str, torch.Tensor]

_STEPS = 8


def blended(parent: Mapping[str, torch.Tensor], tuned: Mapping[str, torch.Tensor], share: float, known: int) -> Weights:
    """parent plus share of the way to tuned; weights of classes from known on, which the parent lacks, are tuned's."""
    result = {name: torch.lerp(parent[name].float(), value.float(), share) for name, value in tuned.items()}
    for name in class_weights(tuned):
        classes_of_block(result[name])[:, known:] = classes_of_block(tuned[name])[:, known:].float()
    return result


def largest_share(loss_at: Callable[[float], float], tolerance: float) -> float:
    """The largest share, in eighths, at which the reference set loses no more Dice than tolerance; at least an eighth.

    The loss grows about with the square of the share: from the whole one the right share is guessed, then looked for
    downwards, so that few shares need to be tested.
    """
    loss = loss_at(1.0)
    if not loss > tolerance:
        return 1.0
    eighths = min(_STEPS - 1, max(1, round(_STEPS * math.sqrt(tolerance / loss))))
    while eighths > 1 and loss_at(eighths / _STEPS) > tolerance:
        eighths -= 1
    return eighths / _STEPS
