"""Batches of objects that are prompted round by round: what the network answers is the next round's mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.interaction.encoding import with_prompts
from LightMedSegLib.learning.augmentation.random_values import chosen
from LightMedSegLib.learning.augmentation.spatial import Batch
from LightMedSegLib.learning.batch_source import BatchSource
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.acceleration.step import LEAST_COMPILED_STEPS
from LightMedSegLib.training.prompting.degrading import Degrading
from LightMedSegLib.training.prompting.loss import labels_with_kept
from LightMedSegLib.training.prompting.pool import SamplePool
from LightMedSegLib.training.prompting.samples import Sample, SampleMaker
from LightMedSegLib.training.prompting.user import Prompts, SimulatedUser, answered
from LightMedSegLib.training.prompting.walks import BatchWalks


class PromptedObjects(BatchSource):
    """A batch that lasts: in each step some samples are replaced, all get one more prompt.

    The batch of a step depends on the steps before, so a resumed run begins with new objects.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        configuration: TrainingConfiguration,
        device: torch.device,
        rank: int = 0,
    ) -> None:
        super().__init__(device, configuration.run.seed, rank)
        self._settings, self._batch = configuration.prompting, configuration.optimizer.batch
        maker = SampleMaker(cases, configuration, device)
        self._pool = SamplePool(maker, self._batch, self._settings.reuse)
        self._degrading = Degrading(maker.painter)
        self._user = SimulatedUser(configuration.patch, device, points=self._settings.point_probability)
        self._walks = BatchWalks(device, compiled=_compiles(configuration))
        shape = (self._batch, 1, *configuration.patch)
        self._image = torch.zeros(shape, device=device)
        self._target = torch.zeros(shape, dtype=torch.bool, device=device)
        self._mask, self._within = torch.zeros_like(self._target), torch.ones_like(self._target)
        none = torch.zeros(self._batch, dtype=torch.bool, device=device)
        self._prompts = Prompts(torch.zeros_like(self._image), torch.zeros_like(self._image), self._mask, none)
        self._corrects, self._correcting = none.clone(), np.zeros(self._batch, dtype=bool)
        self._labelled = torch.ones((self._batch, configuration.num_classes), dtype=torch.bool, device=device)
        self._rounds_left = np.zeros(self._batch, dtype=np.int64)

    @torch.no_grad()
    def batch(self, step: int, cases: list[int]) -> Batch:
        """The batch at step, which must follow the step before it; cases are drawn here and not given."""
        seed = (self._seed * 1_000_003 + step) * 1_009 + self._rank
        self._generator.manual_seed(seed)
        random = np.random.default_rng(seed)
        begin = not self._rounds_left.any()
        count = self._batch if begin else min(self._settings.replaced, self._batch)
        # Those that are most overdue give way, so that as many do so in every step.
        places = np.argsort(self._rounds_left + random.random(self._batch))[:count]
        self._begin(places, self._pool.draw(count, self._generator, random), random)
        self._rounds_left -= 1
        low, high = self._settings.rounds
        self._rounds_left[places] = random.integers(low, high + 1, count)
        earlier = self._prompts
        self._prompts = self._user(self._target, self._mask, earlier.include, earlier.exclude, self._generator)
        # Without its mask a network has to learn what all prompts say together.
        forgotten = chosen(self._generator, self._batch, self._settings.forgotten_mask)[:, 0] & ~self._corrects
        shown = self._mask & ~forgotten[:, None, None, None, None]
        prompts = self._prompts.include, self._prompts.exclude
        walk = self._walks(self._image, shown, *prompts, self._prompts.drawn, self._within, self._correcting)
        images = with_prompts(self._image, shown.float(), *prompts, walk)
        return Batch(images, labels_with_kept(self._target, shown, self._corrects), self._labelled)

    def record(self, count: int) -> None:
        """Do nothing: what is drawn on the processor cannot be recorded as a CUDA graph."""

    @torch.no_grad()
    def observe(self, logits: torch.Tensor) -> None:
        """Take the network's answer (B, 2, z, y, x) to the last batch as the masks of the next round."""
        self._mask = answered(logits, self._mask, self._prompts, self._corrects)

    def _begin(self, places: NDArray[np.intp], sample: Sample, random: np.random.Generator) -> None:
        settings = self._settings
        self._correcting[places] = random.random(len(places)) < settings.degraded_probability
        # As if a first prompt had been answered by too much.
        leaks = ~self._correcting[places] & (random.random(len(places)) < settings.leak_probability)
        masks, parts = [], [sample.target[n : n + 1] for n in range(len(places))]
        for n, target in enumerate(parts):
            if self._correcting[places[n]]:
                masks.append(self._degrading(target, self._generator, random))
            elif leaks[n]:
                masks.append(self._degrading.leaked(sample.image[n : n + 1], target, random))
            else:
                masks.append(torch.zeros_like(target))
        where, corrects = self._on_device(places), self._on_device(self._correcting[places])
        self._image[where], self._target[where], self._mask[where] = sample.image, sample.target, torch.cat(masks)
        self._within[where], self._corrects[where] = sample.within, corrects
        self._prompts.include[where] = 0.0
        self._prompts.exclude[where] = 0.0
        if leaks.any():
            targets = torch.cat([parts[n] for n in np.flatnonzero(leaks)])
            nothing = torch.zeros_like(targets)
            first = self._user(targets, nothing, nothing.float(), nothing.float(), self._generator)
            self._prompts.include[self._on_device(places[leaks])] = first.include

    def _on_device(self, values: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(values)
        # Only pinned memory is copied without waiting for the device.
        return tensor.pin_memory().to(self._device, non_blocking=True) if self._device.type == "cuda" else tensor

    def _make(self, cases: torch.Tensor, generator: torch.Generator) -> Batch:
        raise NotImplementedError("The batches of prompted objects depend on the steps before.")


def _compiles(configuration: TrainingConfiguration) -> bool:
    run = configuration.run
    return run.compile is True or (run.compile == "auto" and configuration.optimizer.steps >= LEAST_COMPILED_STEPS)
