"""Windows through a streaming backend: their logits a few planes at a time, two passes of the network side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from LightMedSegLib.core.devices import processor_threads
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.aggregation import Flip
from LightMedSegLib.inference.sliding_window.passes_beside import Keep, PassesBeside, Turn
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.network.backend import Sink, Step, StreamingBackend


@dataclass(frozen=True)
class _Pass:
    """The mirror image with this number (0: the original) of the window with that number, from 0."""

    window: int
    mirror_image: int


class WindowStream:
    """Hands the logits of windows on while they are computed.

    flips: the mirror images that are predicted of each window, the original first; none along z, whose last planes
    would come first. With several processor threads two passes run side by side, each with half of them: in large
    windows they take less time than one after the other with all threads, and far less where other programs are busy.

    on_share is called with the share (0 to 1) of the present window that is done. shifts: the layout's mirror_shifts.
    turns: how often each plane of a window is handed on; the mean counts.
    """

    def __init__(self, backend: StreamingBackend, flips: Sequence[Flip], cancel: CancelToken) -> None:
        self._backend, self._flips, self._cancel = backend, flips, cancel
        self.on_share: Callable[[float], None] = lambda share: None
        self.shifts: Shape = (0, 0, 0)
        self._second = backend.beside() if torch.get_num_threads() > 1 else None
        self.turns = len(flips) if self._second is None else max(1, len(flips) // 2)

    def __call__(
        self,
        windows: Sequence[NDArray[np.float32]],
        sinks: Sequence[Sink],
        on_window: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Hand the logits of windows (channels, z, y, x) of one size on, those of each to its sink, in this order.

        on_window is called with the number of windows that are done. Raises CancelledError once cancel is set, and
        torch's error when memory runs out.
        """
        passes = [_Pass(window, image) for window in range(len(windows)) for image in range(len(self._flips))]
        if self._second is None or len(passes) == 1:
            for one in passes:
                self._run(one, windows, sinks[one.window])
                if one.mirror_image == len(self._flips) - 1:
                    on_window(one.window + 1)
            return
        threads = (torch.get_num_threads() + 1) // 2
        with processor_threads(threads):
            beside = PassesBeside(partial(self._run_beside, self._second, passes[1::2], windows), threads)
            try:
                for pairs, one in enumerate(passes[::2], start=1):
                    if len(self._flips) == 1:
                        self._two_windows(one, windows, sinks, beside)
                    else:
                        self._run(one, windows, partial(_mean_of_two, sinks[one.window], beside))
                    on_window(min(len(windows), 2 * pairs // len(self._flips)))
            finally:
                beside.end()

    def end_volume(self) -> None:
        """Give memory back that is kept for the next window."""
        if self._second is not None:
            self._second.end_volume()

    def _two_windows(
        self, one: _Pass, windows: Sequence[NDArray[np.float32]], sinks: Sequence[Sink], beside: PassesBeside
    ) -> None:
        self._run(one, windows, sinks[one.window])
        if one.window + 1 == len(windows):
            return
        for first, planes in beside:
            sinks[one.window + 1](first, planes)
            if first + len(planes) == windows[one.window].shape[1]:
                return

    def _run(self, one: _Pass, windows: Sequence[NDArray[np.float32]], sink: Sink) -> None:
        """Hand the logits of a pass on, turned back."""
        flip, image = self._flips[one.mirror_image], torch.from_numpy(windows[one.window])[None]
        at_once = 1 if self._second is None else 2
        current = self._backend.steps.begin(
            tuple(image.shape),
            lambda share: self.on_share((one.mirror_image + at_once * share) / len(self._flips)),
        )

        def step() -> None:
            self._cancel.raise_if_cancelled()
            current.step()

        turned = _Turned(self._turn(one), sink) if one.mirror_image else sink
        self._backend.stream(flip.seen(image, self.shifts), turned, step, flip.swaps)
        current.end()

    def _run_beside(
        self,
        backend: StreamingBackend,
        passes: Sequence[_Pass],
        windows: Sequence[NDArray[np.float32]],
        keep: Keep,
        go_on: Step,
    ) -> None:
        def step() -> None:
            self._cancel.raise_if_cancelled()
            go_on()

        for one in passes:
            flip, image = self._flips[one.mirror_image], torch.from_numpy(windows[one.window])[None]
            backend.stream(flip.seen(image, self.shifts), partial(keep, self._turn(one)), step, flip.swaps)

    def _turn(self, one: _Pass) -> Turn:
        if not one.mirror_image:
            return _copy
        flip = self._flips[one.mirror_image]
        return lambda planes, out: flip.turn_planes(planes, self.shifts, out)


class _Turned:
    """A sink that turns the planes of a mirror image back and hands them on, valid during the call."""

    def __init__(self, turn: Turn, sink: Sink) -> None:
        self._turn, self._sink = turn, sink
        self._memory = torch.empty(0)

    def __call__(self, first: int, planes: Tensor) -> None:
        if self._memory.shape != planes.shape:
            self._memory = torch.empty_like(planes)
        self._turn(planes, self._memory)
        self._sink(first, self._memory)


def _mean_of_two(sink: Sink, beside: PassesBeside, first: int, planes: Tensor) -> None:
    """Hand the mean of planes, and of those of the mirror image beside, on."""
    _, mean = next(beside)
    sink(first, mean.add_(planes).div_(2))


def _copy(planes: Tensor, out: Tensor) -> None:
    out.copy_(planes)
