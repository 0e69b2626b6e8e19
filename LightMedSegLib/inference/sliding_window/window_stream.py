"""Windows through a streaming backend: their logits a few planes at a time, two passes of the network side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from LightMedSegLib.core.devices import processor_threads
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.aggregation import Flip
from LightMedSegLib.inference.sliding_window.pass_beside import PassBeside
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.network.backend import Sink, Step, StreamingBackend


class WindowStream:
    """Hands the logits of windows on while they are computed.

    flips: the mirror images that are predicted of each window, the original first; none along z, whose last planes
    would come first. With several processor threads two passes run side by side, each with half of them: together they
    take less time than one after the other with all threads, and far less where other programs are busy.

    on_share is called with the share (0 to 1) of the present windows that is done. shifts: the layout's mirror_shifts.
    turns: how often each plane of a window is handed on; the mean counts. at_once: the most windows of a call.
    """

    def __init__(self, backend: StreamingBackend, flips: Sequence[Flip], cancel: CancelToken) -> None:
        self._backend, self._flips, self._cancel = backend, flips, cancel
        self.on_share: Callable[[float], None] = lambda share: None
        self.shifts: Shape = (0, 0, 0)
        paired = torch.get_num_threads() > 1
        self.turns = len(flips) // 2 if paired and len(flips) > 1 else len(flips)
        self.at_once = 2 if paired and len(flips) == 1 else 1
        self._second = backend.beside() if paired else None

    def __call__(self, windows: Sequence[NDArray[np.float32]], sinks: Sequence[Sink]) -> None:
        """Hand the logits of windows (channels, z, y, x) of one size on, those of each to its sink, in this order.

        Raises CancelledError once cancel is set, and torch's error when memory runs out.
        """
        images = [torch.from_numpy(window)[None] for window in windows]
        if self._second is None or (len(images) == 1 and len(self._flips) == 1):
            for number in range(len(self._flips)):
                self._pass(number, images[0], sinks[0], 1)
            return
        threads = (torch.get_num_threads() + 1) // 2
        with processor_threads(threads):
            if len(images) == 2:
                self._two_windows(images, sinks, self._second, threads)
                return
            for number in range(0, len(self._flips), 2):
                self._two_mirror_images(number, images[0], sinks[0], self._second, threads)

    def end_volume(self) -> None:
        """Give memory back that is kept for the next window."""
        if self._second is not None:
            self._second.end_volume()

    def _two_windows(
        self, images: Sequence[Tensor], sinks: Sequence[Sink], second: StreamingBackend, threads: int
    ) -> None:
        beside = PassBeside(partial(self._pass_beside, second, 0, images[1]), _copied, threads)
        try:
            self._pass(0, images[0], sinks[0], 2)
            for first, planes in beside:
                sinks[1](first, planes)
        finally:
            beside.end()

    def _two_mirror_images(
        self, number: int, image: Tensor, sink: Sink, second: StreamingBackend, threads: int
    ) -> None:
        run = partial(self._pass_beside, second, number + 1, image)
        beside = PassBeside(run, partial(self._turn, number + 1), threads)

        def mean_of_two(first: int, planes: Tensor) -> None:
            _, mean = next(beside)
            sink(first, mean.add_(planes).div_(2))

        try:
            self._pass(number, image, mean_of_two, 2)
        finally:
            beside.end()

    def _pass(self, number: int, image: Tensor, sink: Sink, side_by_side: int) -> None:
        """Hand the logits of the mirror image with that number (0: the original) on, turned back."""
        flip, passes = self._flips[number], max(side_by_side, len(self._flips))
        current = self._backend.steps.begin(
            tuple(image.shape), lambda share: self.on_share((number + side_by_side * share) / passes)
        )

        def step() -> None:
            self._cancel.raise_if_cancelled()
            current.step()

        turned = _Turned(partial(self._turn, number), sink) if number else sink
        self._backend.stream(flip.seen(image, self.shifts), turned, step, flip.swaps)
        current.end()

    def _pass_beside(self, backend: StreamingBackend, number: int, image: Tensor, sink: Sink, go_on: Step) -> None:
        def step() -> None:
            self._cancel.raise_if_cancelled()
            go_on()

        flip = self._flips[number]
        backend.stream(flip.seen(image, self.shifts), sink, step, flip.swaps)

    def _turn(self, number: int, planes: Tensor, out: Tensor) -> None:
        self._flips[number].turn_planes(planes, self.shifts, out)


class _Turned:
    """A sink that turns the planes of a mirror image back and hands them on, valid during the call."""

    def __init__(self, turn: Callable[[Tensor, Tensor], None], sink: Sink) -> None:
        self._turn, self._sink = turn, sink
        self._memory = torch.empty(0)

    def __call__(self, first: int, planes: Tensor) -> None:
        if self._memory.shape != planes.shape:
            self._memory = torch.empty_like(planes)
        self._turn(planes, self._memory)
        self._sink(first, self._memory)


def _copied(planes: Tensor, out: Tensor) -> None:
    out.copy_(planes)
