"""Weights that a new class starts fine-tuning with: what the network's last features already tell of it.

A few dozen steps of fine-tuning are not enough to bring the weights of a class up from nothing. With the features fixed
they are found by multinomial logistic regression on some voxels in a few seconds; fine-tuning then improves on both.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as functional

from LightMedSegLib.learning.augmentation.spatial import Batch
from LightMedSegLib.learning.prepared_case import IGNORED
from LightMedSegLib.network.head import classes_of_block

DRAWS = 8
_VOXELS = 20_000
"""Of new classes, and as many of everything else, from each of the DRAWS batches."""

_ROUNDS, _DECAY = 60, 1e-4


@torch.no_grad()
def start_new_classes(network: torch.nn.Module, draw: Callable[[int], Batch], known: int, seed: int) -> None:
    """Set the weights of the classes from known on in the network's last layer, alike for all voxels of a block.

    draw: gives the batch of a number. Nothing changes where no batch shows a new class, or in a network that does not
    end in a 1x1x1 convolution called head.classify.
    """
    layer = dict(network.named_modules()).get("head.classify")
    if not isinstance(layer, torch.nn.Conv3d) or layer.bias is None:
        return
    samples = [_sample(network, layer, draw(number), known, seed + number) for number in range(DRAWS)]
    features, rest, target, weight = (torch.cat(parts) for parts in zip(*samples, strict=True))
    if not (target > 0).any():
        return
    weights, biases = classes_of_block(layer.weight), classes_of_block(layer.bias)
    new = weights.shape[1] - known
    rows = torch.zeros(new, features.shape[1] + 1, device=features.device)
    rows[:, -1] = rest.mean() - 1.0
    _fit(rows, features, rest, target, weight)
    weights[:, known:] = rows[:, :-1].reshape(new, -1, 1, 1, 1)
    biases[:, known:] = rows[:, -1]


def _sample(
    network: torch.nn.Module, layer: torch.nn.Conv3d, batch: Batch, known: int, seed: int
) -> tuple[torch.Tensor, ...]:
    """Features (n, C), the known classes' common logit, the target (0: a known class) and the weight of some voxels."""
    inputs: list[torch.Tensor] = []
    handle = layer.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    was_training = network.training
    try:
        logits = network.eval()(batch.images)
    finally:
        handle.remove()
        network.train(was_training)
    rest = logits[:, :known].float().logsumexp(dim=1).flatten()
    labels = batch.labels
    seen = batch.labelled[:, known:].all(dim=1)[:, None, None, None] & (labels != IGNORED)
    target = torch.where(seen, (labels - known + 1).clamp(min=0), -1).flatten()
    generator = torch.Generator(device=target.device).manual_seed(seed)
    chosen, weights = [], []
    for wanted in (target > 0, target == 0):
        places = wanted.nonzero()[:, 0]
        order = torch.randperm(len(places), generator=generator, device=places.device)[:_VOXELS]
        chosen.append(places[order])
        weights.append(torch.full((len(order),), len(places) / max(1, len(order)), device=places.device))
    index = torch.cat(chosen)
    item, z, y, x = torch.unravel_index(index, labels.shape)
    features = inputs[0][item, :, z // 2, y // 2, x // 2]
    return features.float(), rest[index], target[index], torch.cat(weights)


def _fit(
    rows: torch.Tensor, features: torch.Tensor, rest: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> None:
    """Fit rows (new classes, C + 1), in place, so that the weighted entropy of target is least."""
    optimizer = torch.optim.LBFGS([rows], max_iter=_ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        with torch.enable_grad():
            optimizer.zero_grad()
            logits = torch.cat([rest[:, None], features @ rows[:, :-1].T + rows[:, -1]], dim=1)
            entropy = functional.cross_entropy(logits, target, reduction="none")
            value = (entropy * weight).sum() / weight.sum() + _DECAY * rows.square().sum()
            value.backward()
        return value

    rows.requires_grad_(True)
    optimizer.step(loss)
    rows.requires_grad_(False)
