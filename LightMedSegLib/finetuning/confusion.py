"""How a network's labels meet the truth, window by window: all that the gate judges by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from LightMedSegLib.fast import FastLightMedSeg, accelerate
from LightMedSegLib.fast.convolution import has_onednn
from LightMedSegLib.progress import CancelToken
from LightMedSegLib.training.preparation import IGNORED, PreparedCase
from LightMedSegLib.windows import Shape

Confusion = NDArray[np.int64]
"""Voxel counts (classes, classes): predicted class, true class."""


def windows_to_test(case: PreparedCase, patch: Shape) -> list[Shape]:
    """Starts (z, y, x) of the fewest windows side by side that hold every structure of case; centred on them.

    Starts may be negative where the case is smaller than a window. As in a segmentation, which looks for the region of
    the structures first, what lies further away is not looked at. Without a structure they cover the whole case.
    """
    places = np.argwhere((case.labels > 0) & (case.labels != IGNORED))
    shape = np.array(case.labels.shape)
    lowest, highest = (places.min(axis=0), places.max(axis=0) + 1) if len(places) else (0 * shape, shape)
    starts = []
    for size, length, first, last in zip(patch, case.labels.shape, lowest.tolist(), highest.tolist(), strict=True):
        count = max(1, math.ceil((last - first) / size))
        span = count * size
        begin = (first + last - span) // 2
        begin = min(max(begin, 0), length - span) if span <= length else (length - span) // 2
        starts.append([begin + number * size for number in range(count)])
    return [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]


def confusion(
    network: torch.nn.Module,
    case: PreparedCase,
    num_classes: int,
    patch: Shape,
    device: torch.device,
    cancel: CancelToken | None = None,
    windows: Sequence[Shape] | None = None,
) -> Confusion:
    """Count every voxel of known truth in the windows once; windows: starts, those of :func:`windows_to_test` if None.

    Windows do not overlap on purpose and are never stitched, so that a whole scan needs the memory of one window.
    The same is done before and after the training, so the comparison is fair. Raises CancelledError once cancel is set.
    """
    total = np.zeros((num_classes, num_classes), dtype=np.int64)
    starts = windows_to_test(case, patch) if windows is None else windows
    for place, predicted in predicted_labels(network, case, starts, patch, device, cancel):
        truth = case.labels[place]
        known = truth < num_classes
        pairs = predicted[known].astype(np.int64) * num_classes + truth[known]
        total += np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
    return _of_labelled(total, case.labelled)


@torch.no_grad()
def predicted_labels(
    network: torch.nn.Module,
    case: PreparedCase,
    starts: Sequence[Shape],
    patch: Shape,
    device: torch.device,
    cancel: CancelToken | None = None,
) -> Iterator[tuple[tuple[slice, slice, slice], NDArray[np.uint8]]]:
    """The part of the case (slices z, y, x) and the labels of each window at starts that shows known voxels.

    Raises CancelledError once cancel is set.
    """
    logits_of = _quick(network.eval(), device, cancel)
    for start in starts:
        inside, cut = [], []
        for first, size, length in zip(start, patch, case.labels.shape, strict=True):
            cut.append(slice(max(0, first), min(length, first + size)))
            inside.append(slice(max(0, -first), min(size, length - first)))
        place = cut[0], cut[1], cut[2]
        if (case.labels[place] == IGNORED).all():
            continue
        if cancel is not None:
            cancel.raise_if_cancelled()
        image = _window(case.image, start, patch).to(device)
        image = image.contiguous(memory_format=torch.channels_last_3d)
        labels = logits_of(image).argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
        yield place, labels[tuple(inside)]


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
