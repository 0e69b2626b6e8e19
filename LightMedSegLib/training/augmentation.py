"""Augmented batches of one training run, reproducible step by step."""

from __future__ import annotations

import torch

from LightMedSegLib.training.configuration import TrainingConfiguration
from LightMedSegLib.training.dataset import CaseStack
from LightMedSegLib.training.intensity import IntensityAugmentation
from LightMedSegLib.training.spatial import Batch, SpatialSampler


class BatchSource:
    """Makes the batch of any step from the stack: the same step always gives the same batch."""

    def __init__(self, stack: CaseStack, configuration: TrainingConfiguration, rank: int = 0) -> None:
        device = stack.images.device
        patch, spacing = configuration.patch, configuration.spacing_zyx
        settings = configuration.augmentation
        self._sampler = SpatialSampler(stack, patch, spacing, configuration.num_classes, settings)
        self._intensity = IntensityAugmentation(settings, patch, spacing, device)
        self._generator = torch.Generator(device=device)
        self._seed, self._rank, self._device = configuration.run.seed, rank, device

    def batch(self, step: int, cases: list[int]) -> Batch:
        """The augmented batch of the given cases at step."""
        # Seeding every step makes a resumed run see what an uninterrupted one would have seen.
        self._generator.manual_seed((self._seed * 1_000_003 + step) * 1_009 + self._rank)
        numbers = torch.tensor(cases)
        if self._device.type == "cuda":
            # Only pinned memory is copied without waiting for the device.
            numbers = numbers.pin_memory().to(self._device, non_blocking=True)
        batch = self._sampler.augmented(numbers, self._generator)
        return Batch(self._intensity(batch.images, self._generator), batch.labels, batch.labelled)
