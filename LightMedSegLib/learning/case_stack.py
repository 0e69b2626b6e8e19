"""All training cases in one stack on the training device, so that no step waits for the disk or the bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

FOREGROUND_POINTS = 256
"""Voxels remembered per case and class, as possible centres of patches."""


@dataclass(frozen=True)
class CaseStack:
    """N cases of different sizes, each in the low corner of a common array.

    images: float16 (N, C, z, y, x); labels: uint8 (N, z, y, x), IGNORED outside each case's own size.
    sizes: int64 (N, 3), the own sizes (z, y, x). labelled: bool (N, classes). points: float32
    (N, classes, FOREGROUND_POINTS, 3), voxels of each class drawn at random; has_points: bool (N, classes).
    """

    names: tuple[str, ...]
    images: torch.Tensor
    labels: torch.Tensor
    sizes: torch.Tensor
    labelled: torch.Tensor
    points: torch.Tensor
    has_points: torch.Tensor

    def __len__(self) -> int:
        return len(self.names)

    @property
    def all_labelled(self) -> bool:
        """True when every structure was marked in every case. Waits for the device: ask once, not per step."""
        return bool(self.labelled.all())


def stack_cases(cases: Sequence[PreparedCase], num_classes: int, device: torch.device, seed: int = 0) -> CaseStack:
    """The cases as one CaseStack on device."""
    shape = tuple(max(case.labels.shape[axis] for case in cases) for axis in range(3))
    images = torch.zeros((len(cases), cases[0].image.shape[0], *shape), dtype=torch.float16)
    labels = torch.full((len(cases), *shape), IGNORED, dtype=torch.uint8)
    labelled = torch.zeros((len(cases), num_classes), dtype=torch.bool)
    points = torch.zeros((len(cases), num_classes, FOREGROUND_POINTS, 3), dtype=torch.float32)
    has_points = torch.zeros((len(cases), num_classes), dtype=torch.bool)
    random = np.random.default_rng(seed)
    for number, case in enumerate(cases):
        z, y, x = case.labels.shape
        images[number, :, :z, :y, :x] = torch.from_numpy(case.image)
        labels[number, :z, :y, :x] = torch.from_numpy(case.labels)
        marked = range(num_classes) if case.labelled is None else (0, *case.labelled)
        labelled[number, list(marked)] = True
        # Looking for each class in the structures alone costs a fraction of looking in the whole volume.
        structures = np.argwhere((case.labels > 0) & (case.labels < num_classes))
        values = case.labels[tuple(structures.T)]
        for value in range(1, num_classes):
            voxels = structures[values == value]
            if len(voxels):
                chosen = voxels[random.integers(len(voxels), size=FOREGROUND_POINTS)]
                points[number, value] = torch.from_numpy(chosen.astype(np.float32))
                has_points[number, value] = True
    return CaseStack(
        names=tuple(case.name for case in cases),
        images=images.to(device),
        labels=labels.to(device),
        sizes=torch.tensor([case.labels.shape for case in cases], dtype=torch.int64).to(device),
        labelled=labelled.to(device),
        points=points.to(device),
        has_points=has_points.to(device),
    )


class CaseOrder:
    """Which cases each step sees: every case once per epoch, in an order that depends only on seed and epoch.

    A resumed run therefore goes on exactly where it stopped, and each process of a distributed run takes
    its own part of every batch.
    """

    def __init__(self, count: int, batch: int, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self._count, self._batch, self._seed = count, batch, seed
        self._rank, self._world_size = rank, world_size
        self._epochs: dict[int, list[int]] = {}

    def indices(self, step: int) -> list[int]:
        """Case numbers of this process' batch at step (counted from 0)."""
        first = (step * self._world_size + self._rank) * self._batch
        return [self._order(place // self._count)[place % self._count] for place in range(first, first + self._batch)]

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._epochs:
            if len(self._epochs) > 64:
                self._epochs.clear()
            generator = torch.Generator().manual_seed(self._seed * 1_000_003 + epoch)
            self._epochs[epoch] = torch.randperm(self._count, generator=generator).tolist()
        return self._epochs[epoch]
