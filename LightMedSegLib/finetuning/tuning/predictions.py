"""Labels that a network gives a case, window by window, never stitched: a whole scan needs the memory of one window.

Where windows overlap a voxel gets the label of the window that weighs most there, by the weights of a stitched scan.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region, bounding_box
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.windows import (
    Shape,
    nearest_ranges,
    padded_shape,
    padding_before,
    window_starts,
)
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase
from LightMedSegLib.network.backend import Backend, as_backend
from LightMedSegLib.network.cpu import accelerate
from LightMedSegLib.network.cpu.convolution import has_onednn
from LightMedSegLib.network.memory_format import fastest_format


def windows_of(case: PreparedCase, patch: Shape, near_structures: bool = False) -> list[Shape]:
    """Starts (z, y, x) of the fewest windows that hold the whole case; negative where it is smaller than a window.

    near_structures: only what holds every structure of the case, centred on them, as where the segmentation looks for
    their region first; the whole case if it has none. Side by side where there is room, else they overlap.
    """
    whole = tuple(slice(0, length) for length in case.labels.shape)
    shown = bounding_box((case.labels > 0) & (case.labels != IGNORED)) if near_structures else whole
    shown = shown if shown[0].stop else whole
    depth, height, width = case.labels.shape
    before = padding_before((depth, height, width), padded_shape((depth, height, width), patch, 1))
    axes = []
    for axis, (size, length) in enumerate(zip(patch, case.labels.shape, strict=True)):
        along = shown[axis]
        axes.append(_starts(length, size, along.start, along.stop) if length >= size else [-before[axis]])
    return [(z, y, x) for z in axes[0] for y in axes[1] for x in axes[2]]


def _starts(length: int, size: int, first: int, last: int) -> list[int]:
    """Windows of size along an axis of length that hold what lies from first to before last."""
    count = math.ceil((last - first) / size)
    span = count * size
    if span > length:
        return window_starts(length, size, 0.0)
    begin = min(max((first + last - span) // 2, 0), length - span)
    return [begin + number * size for number in range(count)]


@torch.no_grad()
def predicted_labels(
    network: torch.nn.Module,
    case: PreparedCase,
    starts: Sequence[Shape],
    patch: Shape,
    device: torch.device,
    cancel: CancelToken | None = None,
) -> Iterator[tuple[Region, NDArray[np.uint8]]]:
    """The part of the case (slices z, y, x) and the labels of each window at starts that shows known voxels.

    starts: those of windows_of. No voxel is in two parts: where windows overlap, each keeps what is nearest to its
    middle. Raises CancelledError once cancel is set.
    """
    backend, step = _quick(network.eval(), device), cancel.raise_if_cancelled if cancel else _go_on
    for start, place in _parts(starts, patch, case.labels.shape):
        if (case.labels[place] == IGNORED).all():
            continue
        step()
        image = _window(case.image, start, patch).to(device)
        image = image.contiguous(memory_format=fastest_format(device))
        labels = backend.logits(image, step).argmax(dim=1)[0].to(torch.uint8).cpu().numpy()
        yield place, labels[tuple(slice(a.start - b, a.stop - b) for a, b in zip(place, start, strict=True))]


def _parts(starts: Sequence[Shape], patch: Shape, shape: Sequence[int]) -> Iterator[tuple[Shape, Region]]:
    """Each window and the part of a case of that shape that it is to label."""
    ranges = []
    for axis, size in enumerate(patch):
        along = sorted({start[axis] for start in starts})
        ranges.append(dict(zip(along, nearest_ranges(along, size), strict=True)))
    for start in starts:
        z, y, x = (
            slice(max(0, of[first][0]), min(length, of[first][1]))
            for of, first, length in zip(ranges, start, shape, strict=True)
        )
        yield start, (z, y, x)


def _quick(network: torch.nn.Module, device: torch.device) -> Backend:
    """The network in its fast form of the same precision, where there is one; training leaves it in the slow one."""
    fast = device.type == "cpu" and has_onednn(torch.float32)
    return as_backend(accelerate(network) if fast else network)


def _go_on() -> None:
    pass


def _window(image: NDArray[np.float16], start: Sequence[int], patch: Shape) -> torch.Tensor:
    """The patch at start (1, C, z, y, x), float32; outside the image its border is repeated, as inference does."""
    cut, widths = [], []
    for first, length, whole in zip(start, patch, image.shape[1:], strict=True):
        cut.append(slice(max(0, first), min(whole, first + length)))
        widths.append((max(0, -first), max(0, first + length - whole)))
    part = torch.from_numpy(image[(slice(None), *cut)].astype(np.float32))[None]
    return functional.pad(part, [side for pair in reversed(widths) for side in pair], mode="replicate")
