"""Augmented batches of one training run, reproducible step by step."""

from __future__ import annotations

import torch

from LightMedSegLib.learning.augmentation.intensity import IntensityAugmentation
from LightMedSegLib.learning.augmentation.spatial import Batch, SpatialSampler
from LightMedSegLib.learning.batch_source import BatchSource
from LightMedSegLib.learning.case_stack import CaseStack
from LightMedSegLib.learning.configuration import TrainingConfiguration


class AugmentedBatchSource(BatchSource):
    """Makes the batch of any step from a stack of images."""

    def __init__(self, stack: CaseStack, configuration: TrainingConfiguration, rank: int = 0) -> None:
        device = stack.images.device
        super().__init__(device, configuration.run.seed, rank)
        patch, spacing = configuration.patch, configuration.spacing_zyx
        settings = configuration.augmentation
        self._sampler = SpatialSampler(stack, patch, spacing, configuration.num_classes, settings)
        self._intensity = IntensityAugmentation(settings, patch, spacing, device)

    def _make(self, cases: torch.Tensor, generator: torch.Generator) -> Batch:
        batch = self._sampler.augmented(cases, generator)
        return Batch(self._intensity(batch.images, generator), batch.labels, batch.labelled)
