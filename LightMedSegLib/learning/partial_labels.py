"""Training on cases in which not every structure was marked.

A structure that nobody looked for may lie in what is marked as background. Pushing its probability to
background there would teach the network to miss it. Instead the probabilities of all structures that a
case does not label are added to the background's before the loss: the network may put such a voxel in
either. This is the marginal loss of Shi, Xiao, Chen and Zhou, "Marginal loss and exclusion loss for
partially supervised multi-organ segmentation", Medical Image Analysis 70 (2021).
"""

from __future__ import annotations

import torch


def merged_background(
    probability: torch.Tensor, log_of_truth: torch.Tensor, classes: torch.Tensor, labelled: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities (B, C, z, y, x) with the classes that labelled (B, C) leaves out added to the background's.

    log_of_truth (B, z, y, x) is the logarithm of the probability of classes, and is returned as it is after that.
    Left-out classes keep their own probability, which must not be looked at.
    """
    group = ~labelled
    group[:, 0] = True
    background = torch.einsum("bczyx,bc->bzyx", probability, group.to(probability.dtype))
    # Where nothing was left out the logarithm of the softmax itself is more exact.
    merged = (classes == 0) & (group.sum(dim=1) > 1)[:, None, None, None]
    smallest = torch.finfo(background.dtype).tiny
    log_of_truth = torch.where(merged, background.clamp(min=smallest).log(), log_of_truth)
    return torch.cat([background[:, None], probability[:, 1:]], dim=1), log_of_truth


def unlabelled_as_background(classes: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """Classes (B, z, y, x) where those that labelled (B, C) leaves out became background.

    A class that a case does not label may still occur in it, for example half marked: it is not to be trusted.
    """
    trusted = labelled.gather(1, classes.flatten(1)).reshape(classes.shape)
    return torch.where(trusted, classes, 0)
