"""Confusion matrices of predicted and true labels, counted window by window: the data that the gate judges by."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.finetuning.tuning.predictions import predicted_labels, windows_of
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.learning.prepared_case import PreparedCase

Confusion = NDArray[np.int64]
"""Voxel counts (classes, classes): predicted class, true class."""

Counts = dict[str, Confusion]
"""Confusion matrix of the held-out voxels of each case, by case identifier."""


def confusion(
    network: torch.nn.Module,
    case: PreparedCase,
    num_classes: int,
    patch: Shape,
    device: torch.device,
    cancel: CancelToken | None = None,
    windows: Sequence[Shape] | None = None,
) -> Confusion:
    """Return the confusion matrix of the windows, each voxel of known truth counted once.

    windows: start indices (z, y, x); None for the windows of the whole case. Use the same windows before and after a
    training, so that the comparison is fair. Raises CancelledError once cancel is set.
    """
    total = np.zeros((num_classes, num_classes), dtype=np.int64)
    starts = windows_of(case, patch) if windows is None else windows
    for place, predicted in predicted_labels(network, case, starts, patch, device, cancel):
        truth = case.labels[place]
        known = truth < num_classes
        pairs = predicted[known].astype(np.int64) * num_classes + truth[known]
        total += np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
    return _of_labelled(total, case.labelled)


def _of_labelled(counts: Confusion, labelled: Sequence[int] | None) -> Confusion:
    """Return the counts with labels that were not reviewed in this case counted as background."""
    result = counts.copy()
    for value in range(1, len(counts)) if labelled is not None else ():
        if value not in (labelled or ()):
            result[0] += result[value]
            result[value] = 0
            result[:, 0] += result[:, value]
            result[:, value] = 0
    return result


def dice_of(counts: Confusion, value: int) -> float:
    """Return the Dice of one label; nan if it is in neither segmentation."""
    both, total = int(counts[value, value]), int(counts[value].sum() + counts[:, value].sum())
    return 2 * both / total if total else math.nan


def cross_dice(counts: Confusion, predicted: int, truth: int) -> float:
    """Return the Dice of one predicted label with another true label; nan if both are empty."""
    total = int(counts[predicted].sum() + counts[:, truth].sum())
    return 2 * int(counts[predicted, truth]) / total if total else math.nan
