"""Prefetching: a thread makes the next batch while the network trains on the present one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from LightMedSegLib.learning.augmentation.spatial import Batch

_STEPS_AHEAD = 2


class BatchesAhead:
    """Returns the batch of each step while a thread makes the next one.

    On CUDA the thread has its own stream, so that its kernels run between the network's. Only that thread calls make,
    step by step, so the batches are the same as without the thread.
    """

    def __init__(self, make: Callable[[int], Batch], device: torch.device) -> None:
        self._make, self._device = make, device
        self._thread: ThreadPoolExecutor | None = None
        self._stream: torch.cuda.Stream | None = None
        self._begun: deque[torch.cuda.Event] = deque()
        self._next: tuple[int, Future[tuple[Batch, torch.cuda.Event | None]]] | None = None

    def batch(self, step: int) -> Batch:
        """Return the batch of step; the thread then makes that of step + 1."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="batches")
            if self._device.type == "cuda":
                self._stream = torch.cuda.Stream(self._device)
                # What the batches are made from was put on the device by this thread's stream.
                self._stream.wait_stream(torch.cuda.current_stream(self._device))
        planned = self._next
        if planned is None or planned[0] != step:
            planned = step, self._thread.submit(self._made, step)
        batch, ready = planned[1].result()
        self._next = step + 1, self._thread.submit(self._made, step + 1)
        if ready is not None:
            self._hand_over(batch, ready)
        return batch

    def _hand_over(self, batch: Batch, ready: torch.cuda.Event) -> None:
        stream = torch.cuda.current_stream(self._device)
        stream.wait_event(ready)
        for tensor in (batch.images, batch.labels, batch.labelled):
            # Their memory belongs to the other stream, which must not use it again before this one is done.
            tensor.record_stream(stream)
        # Steps are launched faster than they run; without a limit their batches would pile up on the device.
        begun = torch.cuda.Event(blocking=True)
        begun.record(stream)
        self._begun.append(begun)
        if len(self._begun) > _STEPS_AHEAD:
            self._begun.popleft().synchronize()

    def close(self) -> None:
        """End the thread; a later batch() starts a new one."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)
        self._thread = self._next = None

    def _made(self, step: int) -> tuple[Batch, torch.cuda.Event | None]:
        if self._stream is None:
            return self._make(step), None
        with torch.cuda.stream(self._stream):
            batch = self._make(step)
            ready = torch.cuda.Event()
            ready.record(self._stream)
        return batch, ready
