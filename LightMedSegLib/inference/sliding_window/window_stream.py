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
from LightMedSegLib.inference.sliding_window.second_passes import Keep, SecondPasses, Turn
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.network.backend import Sink, Step, StreamingBackend


@dataclass(frozen=True)
class _Pass:
    """One mirror image (0: the original) of one window, by their numbers from 0, and the flip that makes it."""

    window: int
    mirror_image: int
    flip: Flip


@dataclass(frozen=True)
class _Windows:
    """Windows (channels, z, y, x) of one size, their sinks, and the layout's mirror_shifts."""

    arrays: Sequence[NDArray[np.float32]]
    sinks: Sequence[Sink]
    shifts: Shape

    def seen(self, one: _Pass) -> Tensor:
        """Return what the network sees in a pass, (1, channels, z, y, x)."""
        return one.flip.seen(torch.from_numpy(self.arrays[one.window])[None], self.shifts)

    def turn(self, one: _Pass) -> Turn:
        """Return what writes the planes of a pass as those of the original."""
        return partial(_turn_planes, one.flip, self.shifts) if one.flip.dimensions else _copy


class WindowStream:
    """Hands the logits of windows on while they are computed.

    flips: the mirror images of each window that are predicted, the original first; none along z, whose last planes
    would come first. With several processor threads two passes run side by side, each with half of them: in large
    windows they take less time than one after the other with all threads, and far less where other programs are busy.

    turns: how many times each plane is handed to its sink; the caller takes the mean.
    """

    def __init__(self, backend: StreamingBackend, flips: Sequence[Flip], cancel: CancelToken) -> None:
        self._backend, self._flips, self._cancel = backend, flips, cancel
        self._second = backend.with_own_memory() if torch.get_num_threads() > 1 else None
        self.turns = len(flips) if self._second is None else max(1, len(flips) // 2)

    def __call__(
        self,
        arrays: Sequence[NDArray[np.float32]],
        sinks: Sequence[Sink],
        shifts: Shape = (0, 0, 0),
        on_share: Callable[[float], None] = lambda share: None,
        on_window: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Hand the logits of windows (channels, z, y, x) of one size on, those of each to its sink, in this order.

        shifts: the layout's mirror_shifts. on_share is called with the share of the present window that is done, up to
        2 for two windows side by side; on_window with the number of windows that are done. Raises CancelledError once
        cancel is set, and torch's error when memory runs out.
        """
        windows = _Windows(arrays, sinks, shifts)
        passes = [_Pass(window, *image) for window in range(len(arrays)) for image in enumerate(self._flips)]
        paired = 0 if self._second is None else len(passes) // 2 * 2
        if self._second is not None and paired:
            self._side_by_side(passes[:paired], windows, self._second, on_share, on_window)
        for one in passes[paired:]:
            sink = sinks[one.window]
            self._run(one, windows, _Turned(windows.turn(one), sink) if one.mirror_image else sink, on_share, 1)
            if one.mirror_image == len(self._flips) - 1:
                on_window(one.window + 1)

    def end_volume(self) -> None:
        """Give memory back that is kept for the next window."""
        if self._second is not None:
            self._second.end_volume()

    def _side_by_side(
        self,
        passes: Sequence[_Pass],
        windows: _Windows,
        backend: StreamingBackend,
        on_share: Callable[[float], None],
        on_window: Callable[[int], None],
    ) -> None:
        """Run every other pass in a second thread; passes: an even number of them."""
        threads = torch.get_num_threads()
        second = SecondPasses(partial(self._run_second, backend, passes[1::2], windows), threads // 2)
        try:
            with processor_threads(threads - threads // 2):
                for one, other in zip(passes[::2], passes[1::2], strict=True):
                    sink = windows.sinks[one.window]
                    if one.window == other.window:
                        sink = partial(_mean_of_two, sink, second)
                    self._run(one, windows, _Turned(windows.turn(one), sink) if one.mirror_image else sink, on_share, 2)
                    if one.window != other.window:
                        _hand_on(second, windows.sinks[other.window], windows.arrays[other.window].shape[1])
                    if other.mirror_image == len(self._flips) - 1:
                        on_window(other.window + 1)
        finally:
            second.end()

    def _run(self, one: _Pass, windows: _Windows, sink: Sink, on_share: Callable[[float], None], at_once: int) -> None:
        """Run a pass in this thread; at_once: the number of passes that run meanwhile, with this one."""
        x = windows.seen(one)
        current = self._backend.steps.begin(
            tuple(x.shape), lambda share: on_share((one.mirror_image + at_once * share) / len(self._flips))
        )

        def step() -> None:
            self._cancel.raise_if_cancelled()
            current.step()

        self._backend.stream(x, sink, step, one.flip.swaps)
        current.end()

    def _run_second(
        self, backend: StreamingBackend, passes: Sequence[_Pass], windows: _Windows, keep: Keep, go_on: Step
    ) -> None:
        def step() -> None:
            self._cancel.raise_if_cancelled()
            go_on()

        for one in passes:
            backend.stream(windows.seen(one), partial(keep, windows.turn(one)), step, one.flip.swaps)


class _Turned:
    """A sink that turns the planes of a mirror image back and hands them on, valid during the call."""

    def __init__(self, turn: Turn, sink: Sink) -> None:
        self._turn, self._sink = turn, sink
        self._memory = torch.empty(0)

    def __call__(self, first: int, planes: Tensor) -> None:
        if self._memory.shape != planes.shape:
            self._memory = torch.empty(planes.shape)
        self._turn(planes, self._memory)
        self._sink(first, self._memory)


def _mean_of_two(sink: Sink, second: SecondPasses, first: int, planes: Tensor) -> None:
    """Hand the mean of planes, and of those of the mirror image in the second thread, on."""
    same, mean = next(second)
    assert same == first and mean.shape == planes.shape
    sink(first, mean.add_(planes).div_(2))


def _hand_on(second: SecondPasses, sink: Sink, depth: int) -> None:
    """Hand the depth planes of the next window of the second thread on."""
    for first, planes in second:
        sink(first, planes)
        if first + len(planes) == depth:
            return


def _turn_planes(flip: Flip, shifts: Shape, planes: Tensor, out: Tensor) -> None:
    flip.turn_planes(planes, shifts, out)


def _copy(planes: Tensor, out: Tensor) -> None:
    out.copy_(planes)
