"""Passes of the network in a second thread, beside those of the calling one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from LightMedSegLib.core.devices import set_own_threads
from LightMedSegLib.network.backend import Step

Turn = Callable[[Tensor, Tensor], None]
"""Writes planes (z, y, x, classes) to contiguous memory of their shape."""

Keep = Callable[[Turn, int, Tensor], None]
"""Hands planes over, in memory that the turn fills, with the index of their first plane."""

_AHEAD = 4
"""A pass waits while so many of its results are not taken: all planes of a large window take gigabytes."""

_POLL_SECONDS = 0.05
"""How often each thread looks whether the other one still runs."""


class SecondPasses:
    """An iterator over the results of passes that run in a thread of their own.

    A result is the index of its first plane, and planes that are valid until the next one. What a pass raises is raised
    instead of a result.

    Args:
        run: run(keep, step) computes the passes; it calls keep with planes, and step between layers.
        threads: processor threads of the passes.
    """

    def __init__(self, run: Callable[[Keep, Step], None], threads: int) -> None:
        self._results: queue.Queue[tuple[int, Tensor]] = queue.Queue(_AHEAD)
        self._spare: queue.SimpleQueue[Tensor] = queue.SimpleQueue()
        self._taken: Tensor | None = None
        self._error: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(run, threads), name="second passes", daemon=True)
        self._thread.start()

    def __iter__(self) -> SecondPasses:
        return self

    def __next__(self) -> tuple[int, Tensor]:
        if self._taken is not None:
            self._spare.put(self._taken)
            self._taken = None
        while True:
            running = self._thread.is_alive()
            try:
                first, self._taken = self._results.get(timeout=_POLL_SECONDS if running else 0)
            except queue.Empty:
                if running:
                    continue
                self._raise()
            else:
                return first, self._taken

    def end(self) -> None:
        """Stop the passes if they still run; they have ended when this returns."""
        self._ended.set()
        self._thread.join()

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is None:
            raise StopIteration
        try:
            raise error
        finally:
            # A cycle of error and frame would keep the memory of the pass that failed.
            del error

    def _work(self, run: Callable[[Keep, Step], None], threads: int) -> None:
        try:
            set_own_threads(threads)
            with torch.inference_mode():
                run(self._keep, self._step)
        except BaseException as error:
            self._error = error

    def _keep(self, turn: Turn, first: int, planes: Tensor) -> None:
        memory = None if self._spare.empty() else self._spare.get()
        if memory is None or memory.shape != planes.shape:
            memory = torch.empty(planes.shape)
        turn(planes, memory)
        while True:
            self._step()
            try:
                self._results.put((first, memory), timeout=_POLL_SECONDS)
                return
            except queue.Full:
                continue

    def _step(self) -> None:
        if self._ended.is_set():
            raise _EndedError


class _EndedError(Exception):
    """The results of the passes are no longer wanted."""
