"""The loss of training by prompts: that of labels, and once more where the given mask is right."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from LightMedSegLib.learning.losses import SegmentationLoss

KEPT = 2
"""Added to the label of a voxel near the given mask's surface where that mask is right."""
_NEAR = 5
_SMOOTH = 1e-5


class PromptingLoss(torch.nn.Module):
    """The loss of labels 0 and 1, plus the mean cross-entropy of the voxels whose label has KEPT added.

    A change away from an error costs more than an error that is not yet corrected.
    """

    def __init__(self, loss: SegmentationLoss, keep_weight: float) -> None:
        super().__init__()
        self.loss, self._keep_weight = loss, keep_weight

    @property
    def class_weights(self) -> torch.Tensor:
        """Weights of the two classes."""
        return self.loss.class_weights

    def forward(
        self,
        logits: torch.Tensor | Sequence[torch.Tensor],
        labels: torch.Tensor,
        labelled: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the loss, a scalar; logits, labels and labelled as in SegmentationLoss."""
        kept = labels >= KEPT
        classes = torch.where(kept, labels - KEPT, labels)
        total = self.loss(logits, classes, labelled)
        finest = logits if isinstance(logits, torch.Tensor) else logits[0]
        difference = (finest[:, 1] - finest[:, 0]).float()
        entropy = functional.softplus(torch.where(classes == 1, -difference, difference))
        share = kept.float()
        return total + self._keep_weight * (entropy * share).sum() / share.sum().clamp(min=_SMOOTH)


def labels_with_kept(target: torch.Tensor, mask: torch.Tensor, corrects: torch.Tensor) -> torch.Tensor:
    """Return the labels int64 (B, z, y, x) of target for a network that is given mask, both bool (B, 1, z, y, x).

    corrects: bool (B,), samples of which the right parts of the mask are to be kept.
    """
    given = mask.float()
    spread = torch.cat([given, 1 - given], dim=1)
    for kernel in ((_NEAR, 1, 1), (1, _NEAR, 1), (1, 1, _NEAR)):
        spread = functional.max_pool3d(spread, kernel, 1, [size // 2 for size in kernel])
    near = (spread > 0).all(dim=1, keepdim=True)
    kept = near & (mask == target) & corrects[:, None, None, None, None]
    return (target + KEPT * kept)[:, 0].long()
