"""Batches that depend on the step alone, and their recording as one CUDA graph."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod

import torch

from LightMedSegLib.learning.augmentation.spatial import Batch


class BatchSource(ABC):
    """Makes the batch of any step: the same step always gives the same batch on the same kind of device."""

    def __init__(self, device: torch.device, seed: int, rank: int) -> None:
        self._device, self._seed, self._rank = device, seed, rank
        self._generator = torch.Generator(device=device)
        self._recording: _Recording | None = None

    @torch.no_grad()
    def batch(self, step: int, cases: list[int]) -> Batch:
        """The batch of the given cases at step."""
        # Seeding every step makes a resumed run see what an uninterrupted one would have seen.
        self._generator.manual_seed((self._seed * 1_000_003 + step) * 1_009 + self._rank)
        numbers = torch.tensor(cases)
        if self._device.type == "cuda":
            # Only pinned memory is copied without waiting for the device.
            numbers = numbers.pin_memory().to(self._device, non_blocking=True)
        if self._recording is not None:
            return self._recording(numbers)
        return self._make(numbers, self._generator)

    @torch.no_grad()
    def record(self, count: int) -> None:
        """Record the making of batches of count cases; batch() then replays it and gives the same numbers.

        A batch takes hundreds of small kernels, and launching them takes longer than running them.
        Raises RuntimeError where the device cannot record; the source then goes on without.
        """
        numbers = torch.zeros(count, dtype=torch.int64, device=self._device)
        try:
            self._recording = _Recording(self, numbers, self._generator)
        except RuntimeError:
            # A generator whose recording was broken off may not be seeded again.
            self._generator = torch.Generator(device=self._device)
            raise

    def observe(self, logits: torch.Tensor) -> None:  # noqa: B027
        """Take notice of the logits (B, classes, z, y, x) for the last batch; most sources need none."""

    @abstractmethod
    def _make(self, cases: torch.Tensor, generator: torch.Generator) -> Batch:
        """The batch of the given cases (B,), every random number drawn from generator."""


class _Recording:
    """One batch as a CUDA graph. Seeding the generator before a replay chooses the random numbers."""

    def __init__(self, source: BatchSource, numbers: torch.Tensor, generator: torch.Generator) -> None:
        self._numbers = numbers
        generator.manual_seed(0)
        side = torch.cuda.Stream(numbers.device)
        side.wait_stream(torch.cuda.current_stream(numbers.device))
        with torch.cuda.stream(side):
            for _ in range(2):
                source._make(numbers, generator)  # loads kernels and libraries, which a recording may not do
        torch.cuda.current_stream(numbers.device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # later versions register by themselves
            warnings.simplefilter("ignore", FutureWarning)
            self._graph.register_generator_state(generator)
        # Graphs recorded on one stream share its workspace for matrix products and must not run side by side.
        with torch.cuda.graph(self._graph, stream=torch.cuda.Stream(numbers.device)):
            self._made = source._make(numbers, generator)

    def __call__(self, numbers: torch.Tensor) -> Batch:
        self._numbers.copy_(numbers)
        self._graph.replay()
        made = self._made
        # The next replay writes over the recorded tensors while the network still reads this batch.
        return Batch(made.images.clone(), made.labels.clone(), made.labelled.clone())
