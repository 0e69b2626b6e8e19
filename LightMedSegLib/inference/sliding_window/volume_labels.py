"""Labels of a prepared volume: the network over it whole or window by window, and back to the volume's voxels.

Nothing as large as the logits of the whole scan ever exists: windows are added up in the planes they touch, finished
planes become labels at once (:mod:`aggregation`, :mod:`logit_resampling`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box
from LightMedSegLib.core.progress import StageTimer
from LightMedSegLib.inference.logit_resampling import LabelPlanes
from LightMedSegLib.inference.preprocessing import PreparedVolume
from LightMedSegLib.inference.sliding_window.aggregation import Aggregation, padded
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.inference.sliding_window.windows import Layout, place_of


def label_volume(
    predictor: Predictor,
    prepared: PreparedVolume,
    layout: Layout,
    labels: NDArray[np.uint8],
    box: Box,
    timer: StageTimer,
    on_share: Callable[[float, int], None] = lambda share, window: None,
    restoration: float = 0.1,
    absent: Sequence[int] = (),
    doubt: NDArray[np.uint8] | None = None,
) -> None:
    """Fill box of labels, the uint8 array (z, y, x) of the whole volume, with the classes the network sees there.

    on_share(share, window) is called with the share (0 to 1) of the work that is done, and the window in work, from 1.
    restoration: the share of the time that is expected to go into labels rather than logits. absent: classes that are
    not looked for. doubt: an array as labels whose box gets the doubt of each voxel, None for no doubt.
    Raises CancelledError between windows and planes, and torch's error when not even one window fits into memory.
    """
    (x0, x1), (y0, y1), (z0, z1) = box

    def oriented(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        part = prepared.grid_map.order.to_model(array[z0:z1, y0:y1, x0:x1])
        part[...] = 0
        return part

    target, doubted = oriented(labels), None if doubt is None else oriented(doubt)
    if not layout.starts:
        return
    progress = _Progress(on_share, len(layout.starts), layout.shape[0], restoration)
    z, y, x = (
        position + before for position, before in zip(prepared.grid_map.positions(box), layout.before, strict=True)
    )
    planes = LabelPlanes(target, (z, y, x), predictor.device, absent=absent, doubt=doubted)

    def hand_on(finished: Iterable[tuple[int, torch.Tensor]]) -> None:
        first, last = planes.needed
        with timer.stage("restore"), torch.inference_mode():
            for index, plane in finished:
                predictor.cancel.raise_if_cancelled()
                if first <= index <= last:
                    planes.add(index, plane)
                progress.plane(index)

    volume = padded(torch.from_numpy(prepared.array)[None], layout)[0].numpy()
    windows = [volume[(slice(None), *place_of(start, layout.window))] for start in layout.starts]
    stream = predictor.stream
    aggregation = Aggregation(layout, hand_on, stream.turns if stream else 1)
    sinks = [partial(aggregation.add, start) for start in layout.starts]
    with timer.stage("network"), torch.inference_mode():
        if stream is not None:
            stream(windows, sinks, layout.mirror_shifts, progress.inside, progress.window)
        else:
            predictor.shifts = layout.mirror_shifts
            predictor.on_share = lambda share: progress.inside(share * predictor.batch)
            for done, (sink, logits) in enumerate(zip(sinks, predictor.in_batches(windows), strict=True)):
                sink(0, logits.permute(1, 2, 3, 0))
                progress.window(done + 1)
    aggregation.end()


class _Progress:
    """The share of the work that is done: windows, and the planes that became labels."""

    def __init__(self, on_share: Callable[[float, int], None], windows: int, planes: int, restoration: float):
        self._on_share, self._windows, self._planes, self._restoration = on_share, windows, planes, restoration
        self._window = self._plane = 0
        self._inside = 0.0

    def window(self, done: int) -> None:
        """Report how many windows are complete."""
        self._window = done
        self.inside(0.0)

    def plane(self, index: int) -> None:
        """Report that the labels of plane number index are done."""
        self._plane = index + 1
        self.inside(self._inside)

    def inside(self, windows: float) -> None:
        """Report how much of the present windows is done."""
        self._inside = windows
        passed = min(self._windows, self._window + windows) / self._windows
        share = (1 - self._restoration) * passed + self._restoration * self._plane / self._planes
        self._on_share(share, min(self._window + 1, self._windows))
