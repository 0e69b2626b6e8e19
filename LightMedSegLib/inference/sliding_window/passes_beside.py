"""Passes of the network beside others, in a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import torch
from torch import Tensor

from LightMedSegLib.network.backend import Step

Turn = Callable[[Tensor, Tensor], None]
"""Writes planes (z, y, x, classes) to other memory of their shape."""

Keep = Callable[[Turn, int, Tensor], None]
"""Keeps planes, written by a turn, with the index of their first plane."""

_AHEAD = 4
"""A pass waits when so many of its results were not taken: all planes of a large window have gigabytes."""

_LOOKS_SECONDS = 0.05


class PassesBeside:
    """An iterator over what passes hand on while they run in a thread of their own.

    Its items are the index of their first plane, and planes that are valid until the next item. What a pass raises is
    raised instead of an item.

    run: the passes, given what keeps their planes, and what to call at each step. threads: their processor threads.
    """

    def __init__(self, run: Callable[[Keep, Step], None], threads: int) -> None:
        self._results: queue.Queue[tuple[int, Tensor] | BaseException] = queue.Queue(_AHEAD)
        self._spare: queue.SimpleQueue[Tensor] = queue.SimpleQueue()
        self._taken: Tensor | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(run, threads), name="passes beside", daemon=True)
        self._thread.start()

    def __iter__(self) -> PassesBeside:
        return self

    def __next__(self) -> tuple[int, Tensor]:
        if self._taken is not None:
            self._spare.put(self._taken)
            self._taken = None
        result = self._results.get()
        if isinstance(result, BaseException):
            raise result
        self._taken = result[1]
        return result

    def end(self) -> None:
        """Stop the passes if they still run; they have ended when this returns."""
        self._stopped.set()
        self._thread.join()

    def _work(self, run: Callable[[Keep, Step], None], threads: int) -> None:
        torch.set_num_threads(threads)
        try:
            with torch.inference_mode():
                run(self._keep, self._step)
            self._hand_over(StopIteration())
        except _StoppedError:
            pass
        except BaseException as error:
            self._hand_over(error)

    def _keep(self, turn: Turn, first: int, planes: Tensor) -> None:
        memory = None if self._spare.empty() else self._spare.get()
        if memory is None or memory.shape != planes.shape:
            memory = torch.empty_like(planes)
        turn(planes, memory)
        self._hand_over((first, memory))

    def _step(self) -> None:
        if self._stopped.is_set():
            raise _StoppedError

    def _hand_over(self, result: tuple[int, Tensor] | BaseException) -> None:
        while not self._stopped.is_set():
            try:
                self._results.put(result, timeout=_LOOKS_SECONDS)
                return
            except queue.Full:
                continue


class _StoppedError(Exception):
    """Nobody waits for the passes any more."""
