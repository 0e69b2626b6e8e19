"""New samples: an image in a window, and the object in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.interaction.encoding import normalize_window
from LightMedSegLib.learning.augmentation.intensity import IntensityAugmentation
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.prompting.objects import CaseOnDevice, ObjectPlace, own_window, random_window
from LightMedSegLib.training.prompting.painting import Painter
from LightMedSegLib.training.prompting.regions import region

_REPEATED_BORDER = 0.4

Item = TypeVar("Item")


class Sample(NamedTuple):
    """Image normalised float32, target, and within, the points inside the scan, bool; all (n, 1, z, y, x)."""

    image: torch.Tensor
    target: torch.Tensor
    within: torch.Tensor


class SampleMaker:
    """Makes samples from prepared cases: with labels, without, and labelmaps without an image."""

    def __init__(
        self, cases: Sequence[PreparedCase], configuration: TrainingConfiguration, device: torch.device
    ) -> None:
        self._settings, self._patch = configuration.prompting, configuration.patch
        placed = [CaseOnDevice(case, device, number) for number, case in enumerate(cases)]
        self._scans = [case for case in placed if case.image is not None]
        self._labelled = [case for case in self._scans if case.objects]
        self._labelmaps = [case for case in placed if case.image is None and case.objects]
        # Small crops hold nothing but the structure.
        self._surroundings = [case for case in self._scans if min(case.shape) > min(self._patch) / 2] or self._scans
        if not placed:
            raise TrainingDataError("Training by prompts needs at least one prepared case.")
        self.painter = Painter(self._patch, device)
        self._everywhere = torch.ones((1, 1, *self._patch), dtype=torch.bool, device=device)
        self._intensity = IntensityAugmentation(
            configuration.augmentation, self._patch, configuration.spacing_zyx, device
        )
        shares = self._settings
        self._kinds = [
            (shares.labelmap_share if self._labelmaps else 0.0, self._from_labelmap),
            (shares.region_share if self._surroundings else 0.0, self._from_region),
            (shares.shape_share or 1e-6, self._from_shapes),
        ]
        rest = 1 - sum(share for share, _ in self._kinds)
        self._kinds.append((max(0.0, rest) if self._labelled else 0.0, self._from_labels))

    def make(self, count: int, generator: torch.Generator, random: np.random.Generator) -> Sample:
        """Return count samples; generator draws on the device, random decides on the processor."""
        shares = np.array([share for share, _ in self._kinds])
        images, targets, insides = [], [], []
        for kind in random.choice(len(shares), size=count, p=shares / shares.sum()):
            image, target, within = self._kinds[kind][1](generator, random)
            images.append(image)
            insides.append(within)
            targets.append(self._part(target, generator, random))
        batch = torch.cat(images)
        spread = batch.std(dim=(2, 3, 4), keepdim=True).clamp(min=1e-6)
        batch = self._intensity((batch - batch.mean(dim=(2, 3, 4), keepdim=True)) / spread, generator)
        return Sample(normalize_window(batch), torch.cat(targets), torch.cat(insides))

    def _from_labels(
        self, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        case = _one_of(self._labelled, random)
        place = _one_of(case.objects, random)
        if random.random() < self._settings.own_voxels:
            window = own_window(place, self._patch, random)
        else:
            window = random_window(place, self._patch, self._settings.extent, random)
        grid = case.grid(window, self._patch)
        together = len(case.objects) == 2 and random.random() < 0.5
        values = [known.value for known in case.objects] if together else [place.value]
        goes_on = random.random() < _REPEATED_BORDER
        within = self._everywhere if goes_on else case.within(grid)
        return case.grey(grid, goes_on), case.mask(grid, values), within

    def _from_labelmap(
        self, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        case = _one_of(self._labelmaps, random)
        place = _one_of(case.objects, random)
        grid = case.grid(random_window(place, self._patch, self._settings.extent, random), self._patch)
        values = case.label_values(grid)
        target = values == place.value
        if random.random() < self._settings.unions:
            # The other half of a structure, or any other structure.
            other = place.value ^ 1 if random.random() < 0.5 else _one_of(case.objects, random).value
            target = target | (values == other)
        return self.painter.paint(values // 2, generator, random), target[:, None], self._everywhere

    def _from_region(
        self, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        case = _one_of(self._surroundings, random)
        box = np.stack([np.zeros(3), case.shape - 1.0])
        middle = random.uniform(0.2, 0.8, (1, 3)) * case.shape
        place = ObjectPlace(0, box, middle)
        grid = case.grid(random_window(place, self._patch, (0.8, 3.0), random), self._patch)
        image = case.grey(grid, False)
        return image, region(normalize_window(image), generator, random), case.within(grid)

    def _from_shapes(
        self, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        tissues, target = self.painter.shapes(generator, random)
        return self.painter.paint(tissues, generator, random), target, self._everywhere

    def _part(self, target: torch.Tensor, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
        """Return the target, or for some samples what lies on one side of a plane through its middle."""
        if random.random() >= self._settings.parts:
            return target
        direction = random.normal(size=3)
        height = torch.zeros((), device=target.device)
        for axis, (size, weight) in enumerate(zip(target.shape[2:], direction, strict=True), start=2):
            along = torch.arange(size, device=target.device, dtype=torch.float32) * float(weight)
            height = height + along.reshape([-1 if number == axis else 1 for number in range(5)])
        middle = (height * target).sum() / target.sum().clamp(min=1)
        return target & (height > middle)


def _one_of(items: Sequence[Item], random: np.random.Generator) -> Item:
    return items[int(random.integers(len(items)))]
