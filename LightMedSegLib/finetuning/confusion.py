"""How a network's labels meet the truth, window by window: all that the gate judges by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from LightMedSegLib.fast import FastLightMedSeg, accelerate
from LightMedSegLib.fast.convolution import has_onednn
from LightMedSegLib.progress import CancelToken
from LightMedSegLib.training.preparation import IGNORED, PreparedCase
from LightMedSegLib.windows import Shape, padded_shape, padding_before, plan_windows

Confusion = NDArray[np.int64]
"""Voxel counts (classes, classes): predicted class, true class."""


@torch.no_grad()
def confusion(
    network: torch.nn.Module,
    case: PreparedCase,
    num_classes: int,
    patch: Shape,
    device: torch.device,
    cancel: CancelToken | None = None,
) -> Confusion:
    """Count every voxel of known truth once.

    Windows do not overlap on purpose and are never stitched, so that a whole scan needs the memory of one window.
    The same is done before and after the training, so the comparison is fair. Raises CancelledError once cancel is set.
    """
    shape = case.labels.shape
    padded = padded_shape((shape[0], shape[1], shape[2]), patch, 1)
    before = padding_before((shape[0], shape[1], shape[2]), padded)
    labels = np.full(padded, IGNORED, dtype=np.uint8)
    inner = tuple(slice(first, first + length) for first, length in zip(before, shape, strict=True))
    labels[inner] = case.labels
    total = np.zeros((num_classes, num_classes), dtype=np.int64)
    logits_of = _quick(network.eval(), device, cancel)
    for z, y, x in plan_windows(padded, patch, 0.0):
        window = tuple(slice(a, a + length) for a, length in zip((z, y, x), patch, strict=True))
        truth = labels[window]
        if (truth == IGNORED).all():
            continue
        if cancel is not None:
            cancel.raise_if_cancelled()
        image = _window(case.image, (z - before[0], y - before[1], x - before[2]), patch).to(device)
        image = image.contiguous(memory_format=torch.channels_last_3d)
        predicted = logits_of(image).argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
        known = truth < num_classes
        pairs = predicted[known].astype(np.int64) * num_classes + truth[known]
        total += np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
        truth[...] = IGNORED  # counted: a window beside this one may overlap it by a few voxels
    return _of_labelled(total, case.labelled)


def _quick(
    network: torch.nn.Module, device: torch.device, cancel: CancelToken | None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The network in its fast form of the same precision, where there is one; training leaves it in the slow one."""
    if device.type != "cpu" or not has_onednn(torch.float32):
        return network
    fast = accelerate(network)
    if cancel is None or not isinstance(fast, FastLightMedSeg):
        return fast
    return partial(fast, checkpoint=cancel.raise_if_cancelled)


def _of_labelled(counts: Confusion, labelled: Sequence[int] | None) -> Confusion:
    """Labels that nobody looked for in this case counted as background, whatever was predicted or marked."""
    result = counts.copy()
    for value in range(1, len(counts)) if labelled is not None else ():
        if value not in (labelled or ()):
            result[0] += result[value]
            result[value] = 0
            result[:, 0] += result[:, value]
            result[:, value] = 0
    return result


def _window(image: NDArray[np.float16], start: Sequence[int], patch: Shape) -> torch.Tensor:
    """The patch at start (1, C, z, y, x), float32; outside the image its border is repeated, as inference does."""
    cut, widths = [], []
    for first, length, whole in zip(start, patch, image.shape[1:], strict=True):
        cut.append(slice(max(0, first), min(whole, first + length)))
        widths.append((max(0, -first), max(0, first + length - whole)))
    part = torch.from_numpy(image[(slice(None), *cut)].astype(np.float32))[None]
    return functional.pad(part, [side for pair in reversed(widths) for side in pair], mode="replicate")


def dice_of(counts: Confusion, value: int) -> float:
    """Dice of one label; nan where it is in neither."""
    both, total = int(counts[value, value]), int(counts[value].sum() + counts[:, value].sum())
    return 2 * both / total if total else math.nan


def cross_dice(counts: Confusion, predicted: int, truth: int) -> float:
    """Dice of what was predicted as one label with what is marked as another; nan where neither is there."""
    total = int(counts[predicted].sum() + counts[:, truth].sum())
    return 2 * int(counts[predicted, truth]) / total if total else math.nan
