"""Synthetic training images of labelmaps, generated during training: a new contrast, shape and scan at every step.

The idea is that of SynthSeg (Billot et al., Medical Image Analysis 86, 2023, doi:10.1016/j.media.2023.102789): a
network that never sees the same contrast twice learns anatomy instead of contrast. The generator is our own:
besides brightness drawn per class it simulates MR sequences, partial skull strips, lesions, contrast agents,
slices with gaps and noise at the scanner's resolution. Everything is computed on the training device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from LightMedSegLib.learning.augmentation.batches import AugmentedBatchSource
from LightMedSegLib.learning.augmentation.intensity import IntensityAugmentation
from LightMedSegLib.learning.augmentation.spatial import Batch, SpatialSampler
from LightMedSegLib.learning.batch_source import BatchSource
from LightMedSegLib.learning.case_stack import CaseStack, stack_cases
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase
from LightMedSegLib.training.synthesis.acquisition import Acquisition, normalise
from LightMedSegLib.training.synthesis.contrast import ContrastSampler
from LightMedSegLib.training.synthesis.labels import IndexTable
from LightMedSegLib.training.synthesis.skull_strip import brain_only
from LightMedSegLib.training.synthesis.tissue import TissuePainter


class SyntheticBatchSource(BatchSource):
    """Makes the batch of any step from a stack of index maps (cases without an image, see synthesis.labels)."""

    def __init__(self, stack: CaseStack, configuration: TrainingConfiguration, rank: int = 0) -> None:
        device = stack.labels.device
        super().__init__(device, configuration.run.seed, rank)
        patch, spacing, settings = configuration.patch, configuration.spacing_zyx, configuration.synthesis
        self._settings, self._classes = settings, configuration.num_classes
        percentiles = configuration.input["channels"][0]["normalization"]["clip_percentiles"]
        self._limits = torch.tensor(percentiles, device=device, dtype=torch.float32) / 100
        self._table = IndexTable(settings, device)
        self._sampler = SpatialSampler(stack, patch, spacing, configuration.num_classes, configuration.augmentation)
        self._contrast = ContrastSampler(settings, device)
        self._painter = TissuePainter(settings, self._table, patch, spacing)
        self._acquisition = Acquisition(settings, patch, spacing, device)
        self._intensity = IntensityAugmentation(configuration.augmentation, patch, spacing, device)

    def _make(self, cases: torch.Tensor, generator: torch.Generator) -> Batch:
        places, inside, mirrored = self._sampler.random_places(cases, generator)
        # A labelmap ends in air, so what lies beyond it is known: air.
        indices = torch.where(inside, self._sampler.nearest_values(cases, places), 0)
        contrast = self._contrast(len(cases), generator)
        brightness = self._painter(indices, contrast, generator)
        filters = self._acquisition.outline_filters(len(cases), generator)
        kept = brain_only(indices, self._table, self._settings, filters, generator)
        images, remaining, covered = self._acquisition(brightness, kept, generator)
        labels = self._sampler.swapped(self._table.label[indices], mirrored)
        # Nobody can mark fluid that was cut away; the brain itself stays the truth where the cut went too deep.
        labels = torch.where(self._table.surrounding[indices] & ~remaining, 0, labels)
        labels = torch.where(covered, labels, IGNORED)
        images = self._intensity(normalise(images, self._limits), generator)
        labelled = torch.ones((len(cases), self._classes), dtype=torch.bool, device=labels.device)
        return Batch(images, labels, labelled)


def batch_source(stack: CaseStack, configuration: TrainingConfiguration, rank: int = 0) -> BatchSource:
    """Return the batch source of the configuration: stored images, or synthetic images of labelmaps."""
    if configuration.synthesis.active:
        return SyntheticBatchSource(stack, configuration, rank)
    return AugmentedBatchSource(stack, configuration, rank)


def synthetic_cases(
    configuration: TrainingConfiguration, cases: Sequence[PreparedCase], device: torch.device
) -> list[PreparedCase]:
    """Return fixed synthetic images, with their truth, of labelmaps outside the training part, for validation.

    Each labelmap gives synthesis.validation_images cases of the size of a patch. They are the same in every run
    of the same seed on the same kind of device.
    """
    if not cases:
        return []
    stack = stack_cases(cases, configuration.num_classes, device)
    source = SyntheticBatchSource(stack, configuration)
    made = []
    for number, case in enumerate(cases):
        for copy in range(configuration.synthesis.validation_images):
            batch = source.batch(_VALIDATION_STEP + copy, [number])
            image = batch.images[0].cpu().numpy().astype(np.float16)
            labels = batch.labels[0].cpu().numpy().astype(np.uint8)
            made.append(PreparedCase(f"{case.name}-{copy}", image, labels))
    return made


_VALIDATION_STEP = 2**40
"""Far beyond the steps of any run, so that no training step draws the same random numbers."""
