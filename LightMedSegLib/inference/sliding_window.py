"""Labels of a prepared volume: the network over it whole or window by window, and back to the volume's voxels.

Nothing as large as the logits of the whole scan ever exists: windows are added up in the planes they touch, finished
planes become labels at once (:mod:`stitching`, :mod:`restoration`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box
from LightMedSegLib.core.progress import StageTimer
from LightMedSegLib.inference.aggregation import StitchedPlanes
from LightMedSegLib.inference.logit_resampling import LabelPlanes
from LightMedSegLib.inference.predictor import Predictor
from LightMedSegLib.inference.preprocessing import PreparedVolume
from LightMedSegLib.inference.windows import Shape, gaussian_weights, padded_shape, padding_before, plan_windows

WHOLE_VOLUME_BYTES = 3 * 10**9
"""A whole-volume pass that is expected to need more memory than this goes window by window instead."""

# Measured peaks of our networks over 128 and 160 voxels cubed, three classes: 130 (tiny) to 364 (large).
_ACTIVATION_BYTES_PER_VOXEL = 300


@dataclass(frozen=True)
class Layout:
    """How the network goes over a volume.

    shape: of the padded model grid. before: voxels of padding in front. window: size of one pass of the network.
    starts: first voxels of the windows. All (z, y, x).
    """

    shape: Shape
    before: Shape
    window: Shape
    starts: list[Shape]

    @property
    def single(self) -> bool:
        """One pass sees everything: there is nothing to stitch."""
        return self.window == self.shape and len(self.starts) == 1


def plan_layout(
    prepared: PreparedVolume, view: str, patch: Shape, overlap: float, total_stride: int, num_classes: int
) -> Layout:
    """The layout for a volume; view "whole" becomes windows where the whole would take too much memory."""
    shape: Shape = prepared.grid_map.model.shape
    patch = padded_shape(patch, (1, 1, 1), total_stride)
    if view == "whole":
        padded = padded_shape(shape, patch, total_stride)
        if whole_volume_bytes(padded, prepared.array.shape[0], num_classes) <= WHOLE_VOLUME_BYTES:
            return Layout(padded, padding_before(shape, padded), padded, [(0, 0, 0)])
    padded = padded_shape(shape, patch, 1)
    before = padding_before(shape, padded)
    body = None if prepared.body is None else np.pad(prepared.body, _margins(shape, padded, before))
    return Layout(padded, before, patch, plan_windows(padded, patch, overlap, body))


def whole_volume_bytes(shape: Shape, channels: int, num_classes: int) -> int:
    """Memory a pass over all of shape is expected to need."""
    return int(np.prod(shape)) * (_ACTIVATION_BYTES_PER_VOXEL + 4 * channels + 8 * num_classes)


def label_volume(
    predictor: Predictor,
    prepared: PreparedVolume,
    layout: Layout,
    num_classes: int,
    labels: NDArray[np.uint8],
    box: Box,
    timer: StageTimer,
    on_share: Callable[[float, int], None] = lambda share, window: None,
    restoration: float = 0.1,
) -> None:
    """Fill box of labels, the uint8 array (z, y, x) of the whole volume, with the classes the network sees there.

    on_share(share, window) is called with the share (0 to 1) of the work that is done, and the window in work, from 1.
    restoration: the share of the time that is expected to go into labels rather than logits.
    Raises CancelledError between windows and planes, and torch's error when not even one window fits into memory.
    """
    (x0, x1), (y0, y1), (z0, z1) = box
    target = prepared.grid_map.order.to_model(labels[z0:z1, y0:y1, x0:x1])
    target[...] = 0
    if not layout.starts:
        return
    progress = _Progress(on_share, len(layout.starts), layout.shape[0], restoration)
    z, y, x = (
        position + before for position, before in zip(prepared.grid_map.positions(box), layout.before, strict=True)
    )
    planes = LabelPlanes(target, (z, y, x), predictor.device)

    def hand_on(finished: Iterable[tuple[int, torch.Tensor]]) -> None:
        first, last = planes.needed
        with timer.stage("restore"), torch.inference_mode():
            for index, plane in finished:
                predictor.cancel.raise_if_cancelled()
                if first <= index <= last:
                    planes.add(index, plane)
                progress.plane(index)

    volume = _pad(prepared.array, layout)
    stitched = None if layout.single else StitchedPlanes(layout.shape, layout.window[0], num_classes, predictor.device)
    weights = torch.from_numpy(gaussian_weights(layout.window)).to(predictor.device)

    def take(start: Shape, first: int, logits: torch.Tensor) -> None:
        """Add planes from first on, (z, y, x, classes), of the window at start."""
        if stitched is not None:
            here = (start[0] + first, start[1], start[2])
            stitched.add(here, logits.permute(3, 0, 1, 2), weights[first : first + len(logits)])
            return
        last = first + len(logits) - 1
        # The last plane is needed again with the next ones, when its memory holds those.
        hand_on(
            (index, plane.clone() if index == last else plane.contiguous()) for index, plane in enumerate(logits, first)
        )

    windows = [_cut(volume, start, layout.window) for start in layout.starts]
    every_logits = None if predictor.streams else predictor.in_batches(windows)
    predictor.on_share = lambda share: progress.inside(share * predictor.batch)
    for done, (start, window) in enumerate(zip(layout.starts, windows, strict=True)):
        progress.window(done)
        if stitched is not None:
            hand_on(stitched.take(start[0]))
        with timer.stage("network"), torch.inference_mode():
            if every_logits is None:
                predictor.stream(window, partial(take, start))
            else:
                take(start, 0, next(every_logits).permute(1, 2, 3, 0))
        progress.window(done + 1)
    if stitched is not None:
        hand_on(stitched.take(layout.shape[0]))


class _Progress:
    """The share of the work that is done: windows, and the planes that became labels."""

    def __init__(self, on_share: Callable[[float, int], None], windows: int, planes: int, restoration: float):
        self._on_share, self._windows, self._planes, self._restoration = on_share, windows, planes, restoration
        self._window = self._plane = 0
        self._inside = 0.0

    def window(self, done: int) -> None:
        """Report that so many windows are complete."""
        self._window = done
        self.inside(0.0)

    def plane(self, index: int) -> None:
        """Report that the plane of that number became labels."""
        self._plane = index + 1
        self.inside(self._inside)

    def inside(self, windows: float) -> None:
        """Report how much of the present windows is done."""
        self._inside = windows
        passed = min(self._windows, self._window + windows) / self._windows
        share = (1 - self._restoration) * passed + self._restoration * self._plane / self._planes
        self._on_share(share, min(self._window + 1, self._windows))


def _cut(volume: NDArray[np.float32], start: Shape, size: Shape) -> NDArray[np.float32]:
    z, y, x = (slice(first, first + length) for first, length in zip(start, size, strict=True))
    return volume[:, z, y, x]


def _margins(shape: Shape, padded: Shape, before: Shape) -> list[tuple[int, int]]:
    return [(first, target - length - first) for length, target, first in zip(shape, padded, before, strict=True)]


def _pad(array: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
    shape: Shape = array.shape[1:]
    if shape == layout.shape:
        return array
    return np.pad(array, [(0, 0), *_margins(shape, layout.shape, layout.before)], mode="edge")
