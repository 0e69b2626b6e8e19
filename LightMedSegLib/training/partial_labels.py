"""Training on cases in which not every structure was marked.

A structure that nobody looked for may lie in what is marked as background. Pushing its probability to
background there would teach the network to miss it. Instead the probabilities of all structures that a
case does not label are added to the background's before the loss: the network may put such a voxel in
either. This is the marginal loss of Shi, Xiao, Chen and Zhou, "Marginal loss and exclusion loss for
partially supervised multi-organ segmentation", Medical Image Analysis 70 (2021), written here in logits.
"""

from __future__ import annotations

import torch


def merge_unlabelled(logits: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """Logits (B, C, ...) with the classes that labelled (B, C) leaves out added to the background, class 0.

    After a softmax the left-out classes have probability zero and the background has the sum. Their logits
    are the lowest finite number rather than minus infinity, so that no gradient becomes NaN.
    """
    shape = (*labelled.shape, *([1] * (logits.dim() - 2)))
    kept = labelled.reshape(shape)
    lowest = torch.finfo(logits.dtype).min
    background_group = ~kept
    background_group[:, 0] = True
    background = torch.where(background_group, logits, lowest).logsumexp(dim=1, keepdim=True)
    return torch.cat([background, torch.where(kept[:, 1:], logits[:, 1:], lowest)], dim=1)


def unlabelled_as_background(classes: torch.Tensor, labelled: torch.Tensor) -> torch.Tensor:
    """Classes (B, z, y, x) where those that labelled (B, C) leaves out became background.

    A class that a case does not label may still occur in it, for example half marked: it is not to be trusted.
    """
    trusted = labelled.gather(1, classes.flatten(1)).reshape(classes.shape)
    return torch.where(trusted, classes, 0)
