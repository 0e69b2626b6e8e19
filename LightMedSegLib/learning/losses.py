"""The loss: class-weighted soft Dice, cross-entropy, and cross-entropy again on the structures' borders.

Everything is computed in float32. Voxels labelled IGNORED take part in no term.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch.utils.checkpoint import checkpoint

from LightMedSegLib.learning.configuration import LossSection
from LightMedSegLib.learning.partial_labels import merged_background, unlabelled_as_background
from LightMedSegLib.learning.prepared_case import IGNORED

_SMOOTH = 1e-5
_SLAB_VALUES = 2**21


class SegmentationLoss(torch.nn.Module):
    """The sum of the three terms, over all resolutions of a deeply supervised network.

    partially_labelled says whether any case leaves structures out; it is fixed for a run because asking
    the device in each step would make it wait.
    """

    class_weights: torch.Tensor

    def __init__(self, settings: LossSection, num_classes: int, partially_labelled: bool = False) -> None:
        super().__init__()
        self._settings, self._partially_labelled = settings, partially_labelled
        self.register_buffer("class_weights", torch.tensor(settings.class_weights or [1.0] * num_classes))

    def forward(
        self,
        logits: torch.Tensor | Sequence[torch.Tensor],
        labels: torch.Tensor,
        labelled: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The loss, a scalar, of logits (B, C, z, y, x) or a list of them, finest first.

        labels: int64 (B, z, y, x), IGNORED where unknown. labelled: bool (B, C), the classes that each case
        marks; needed when partially_labelled.
        """
        if isinstance(logits, torch.Tensor):
            return self._one_resolution(logits, labels, labelled)
        weights = self._settings.deep_supervision_weights[: len(logits)]
        total = logits[0].new_zeros((), dtype=torch.float32)
        for weight, part in zip(weights, logits, strict=False):
            if weight > 0:
                coarse = coarser_labels(labels, part.shape[2:], part.shape[1])
                total = total + weight * self._one_resolution(part, coarse, labelled)
        return total / sum(weights)

    def _one_resolution(
        self, logits: torch.Tensor, labels: torch.Tensor, labelled: torch.Tensor | None
    ) -> torch.Tensor:
        known = labels != IGNORED
        classes = torch.where(known, labels, 0)
        if self._partially_labelled:
            if labelled is None:
                raise ValueError("A partially labelled run needs the labelled classes of each case.")
            classes = unlabelled_as_background(classes, labelled)
        else:
            labelled = None
        border = boundary(labels) if self._settings.boundary > 0 else known
        planes = _planes_at_once(logits)
        if planes >= logits.shape[2]:
            return self._of_sums(self._sums(logits, classes, known, border, labelled), labelled)
        total: list[torch.Tensor] = []
        for parts in zip(*(value.split(planes, dim=-3) for value in (logits, classes, known, border)), strict=True):
            # What lies between logits and sums takes several times their memory: it is computed again for the gradient.
            sums = checkpoint(self._sums, *parts, labelled, use_reentrant=False)
            total = [one + other for one, other in zip(total, sums, strict=True)] if total else list(sums)
        return self._of_sums(total, labelled)

    def _sums(
        self,
        logits: torch.Tensor,
        classes: torch.Tensor,
        known: torch.Tensor,
        border: torch.Tensor,
        labelled: torch.Tensor | None,
    ) -> tuple[torch.Tensor, ...]:
        """What the terms need of the voxels: entropy, importance, both on the border, and those of dice_sums."""
        log_probability = logits.float().log_softmax(dim=1)
        probability = log_probability.exp()
        log_of_truth = log_probability.gather(1, classes[:, None])[:, 0]
        if labelled is not None:
            probability, log_of_truth = merged_background(probability, log_of_truth, classes, labelled)
        entropy = -log_of_truth * self.class_weights[classes] * known
        importance = self.class_weights[classes] * known
        sums = (entropy.sum(), importance.sum(), (entropy * border).sum(), (importance * border).sum())
        if self._settings.dice > 0:
            first = 0 if self._settings.dice_background else 1
            return (*sums, *dice_sums(probability, classes, known, first))
        return sums

    def _of_sums(self, sums: Sequence[torch.Tensor], labelled: torch.Tensor | None) -> torch.Tensor:
        settings = self._settings
        entropy, importance, border_entropy, border_importance = sums[:4]
        loss = settings.cross_entropy * entropy / importance.clamp(min=_SMOOTH)
        if settings.boundary > 0:
            loss = loss + settings.boundary * border_entropy / border_importance.clamp(min=_SMOOTH)
        if settings.dice > 0:
            loss = loss + settings.dice * self._dice(sums[4:], labelled)
        return loss

    def _dice(self, sums: Sequence[torch.Tensor], labelled: torch.Tensor | None) -> torch.Tensor:
        settings = self._settings
        overlap, predicted, present = sums
        first = 0 if settings.dice_background else 1
        used = torch.ones_like(overlap) if labelled is None else labelled[:, first:].to(overlap.dtype)
        overlap, predicted, present = overlap * used, predicted * used, present * used
        weights = self.class_weights[first:] * used
        if settings.batch_dice:
            overlap, predicted, present = overlap.sum(0), predicted.sum(0), present.sum(0)
            weights = weights.amax(dim=0)
        dice = (2 * overlap + _SMOOTH) / (predicted + present + _SMOOTH)
        return ((1 - dice) * weights).sum() / weights.sum().clamp(min=_SMOOTH)


def _planes_at_once(logits: torch.Tensor) -> int:
    """All on a device of its own memory; on the processor few enough for its cache."""
    if logits.device.type != "cpu":
        return logits.shape[2]
    return max(1, _SLAB_VALUES * logits.shape[2] // max(1, logits.numel()))


def dice_sums(
    probability: torch.Tensor, classes: torch.Tensor, known: torch.Tensor, first: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Sums over the known voxels, each (B, C - first): probability within the class, probability, class size."""
    flat = probability[:, first:].flatten(2) * known.flatten(1)[:, None]
    numbers = torch.arange(first, probability.shape[1], device=classes.device)
    truth = (classes.flatten(1)[:, None] == numbers[None, :, None]) & known.flatten(1)[:, None]
    return (flat * truth).sum(-1), flat.sum(-1), truth.sum(-1).to(flat.dtype)


def boundary(labels: torch.Tensor) -> torch.Tensor:
    """Bool (B, z, y, x): the 3x3x3 dilation of the structures minus their erosion.

    IGNORED voxels neither make nor belong to a border.
    """
    unknown = labels == IGNORED
    values = labels.to(torch.float32)
    highest = functional.max_pool3d(torch.where(unknown, -1.0, values)[:, None], 3, stride=1, padding=1)
    lowest = -functional.max_pool3d(torch.where(unknown, -float(IGNORED), -values)[:, None], 3, stride=1, padding=1)
    return (highest > lowest)[:, 0] & ~unknown


def coarser_labels(labels: torch.Tensor, size: Sequence[int], num_classes: int) -> torch.Tensor:
    """Labels (B, z, y, x) reduced to size: each coarse voxel takes the most frequent label of its block."""
    if tuple(labels.shape[1:]) == tuple(size):
        return labels
    block = [fine // coarse for fine, coarse in zip(labels.shape[1:], size, strict=True)]
    result = torch.full((labels.shape[0], *size), IGNORED, device=labels.device, dtype=labels.dtype)
    most = functional.avg_pool3d((labels == IGNORED).float()[:, None], block)[:, 0]
    for value in range(num_classes):
        share = functional.avg_pool3d((labels == value).float()[:, None], block)[:, 0]
        result = torch.where(share > most, value, result)
        most = torch.maximum(share, most)
    return result
