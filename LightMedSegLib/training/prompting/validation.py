"""Validation by prompts: fixed objects of the validation cases, prompted by the simulated user."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.interaction.encoding import normalize_window, walk_of, with_prompts
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.prompting.degrading import Degrading
from LightMedSegLib.training.prompting.objects import CaseOnDevice, whole_window
from LightMedSegLib.training.prompting.painting import Painter
from LightMedSegLib.training.prompting.user import SimulatedUser, answered
from LightMedSegLib.training.prompting.walks import BatchWalks
from LightMedSegLib.training.validation import DiceTable

_SEED = 20_261
_COUNTED_ROUNDS = 3
"""The score counts the rounds from this one on: a first prompt alone says little about an object."""


class PromptedValidator:
    """Scores networks by the mean Dice over the later rounds, of objects from nothing and from wrong masks."""

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        configuration: TrainingConfiguration,
        device: torch.device,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        settings = configuration.prompting
        self._rounds, self._batch, self._report = settings.validation_rounds, configuration.optimizer.batch, report
        self._device, patch = device, configuration.patch
        random, generator = np.random.default_rng(_SEED), self._seeded()
        degrading = Degrading(Painter(patch, device))
        placed = [CaseOnDevice(case, device, number) for number, case in enumerate(cases) if case.image.shape[0]]
        chosen = [(case, place) for case in placed for place in case.objects]
        if not chosen:
            raise TrainingDataError("Validation by prompts needs a validation case with an image and a structure.")
        order = random.permutation(len(chosen))[: settings.validation_objects]
        wrong, images, targets, masks, insides = [], [], [], [], []
        for number in order:
            case, place = chosen[number]
            grid = case.grid(whole_window(place, patch, 1.0), patch)
            target = case.mask(grid, [place.value])
            for mask in (torch.zeros_like(target), degrading(target, generator, random)):
                wrong.append(bool(mask.any()))
                images.append(normalize_window(case.grey(grid, False)))
                targets.append(target)
                masks.append(mask)
                insides.append(case.within(grid))
        self._wrong = torch.tensor(wrong)
        self._images, self._targets, self._masks = torch.cat(images), torch.cat(targets), torch.cat(masks)
        self._within = torch.cat(insides)
        self._user, self._walks = SimulatedUser(patch, device, careful=True), BatchWalks(device)
        self._rounds_of(_edges_alone, "edges alone, ")

    def _seeded(self) -> torch.Generator:
        generator = torch.Generator(device=self._device)
        generator.manual_seed(_SEED)
        return generator

    @torch.no_grad()
    def score(self, network: torch.nn.Module) -> DiceTable:
        """Return the score of every object, and report the Dice of each round; the network is in evaluation mode."""
        rounds = self._rounds_of(network)
        scores = rounds[:, min(_COUNTED_ROUNDS, self._rounds) :].mean(dim=1)
        return DiceTable(tuple((value,) for value in scores.tolist()))

    @torch.no_grad()
    def _rounds_of(self, network: Callable[[torch.Tensor], torch.Tensor], whose: str = "") -> torch.Tensor:
        """Return the Dice (objects, 1 + rounds), and report its means."""
        generator = self._seeded()
        parts = [
            self._prompted(network, slice(first, first + self._batch), generator)
            for first in range(0, len(self._images), self._batch)
        ]
        rounds = torch.cat(parts).cpu()
        for title, chosen in (("new objects", ~self._wrong), ("wrong masks", self._wrong)):
            means = rounds[chosen].mean(dim=0).tolist()
            shown = " ".join(f"{mean:.3f}" for mean in means)
            self._report(f"{whose}{title}: Dice of round 0 to {self._rounds}: {shown}")
        return rounds

    def _prompted(
        self, network: Callable[[torch.Tensor], torch.Tensor], part: slice, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the Dice (n, 1 + rounds) of some objects before the first prompt and after each."""
        image, target, mask, within = (a[part] for a in (self._images, self._targets, self._masks, self._within))
        corrects = mask.flatten(1).any(dim=1).reshape(-1, 1, 1, 1, 1)
        wrong = self._wrong[part].numpy()
        include, exclude = torch.zeros_like(image), torch.zeros_like(image)
        dice = [_dice(mask, target)]
        for _ in range(self._rounds):
            prompts = self._user(target, mask, include, exclude, generator)
            include, exclude = prompts.include, prompts.exclude
            walk = self._walks(image, mask, include, exclude, prompts.drawn, within, wrong)
            logits = network(with_prompts(image, mask.float(), include, exclude, walk))
            mask = answered(logits, mask, prompts, corrects)
            dice.append(_dice(mask, target))
        return torch.stack(dice, dim=1)


def _edges_alone(images: torch.Tensor) -> torch.Tensor:
    """Return logits (B, 2, z, y, x) that say what the channel of edges says."""
    walk = walk_of(images)
    return torch.cat([0.5 - walk, walk - 0.5], dim=1)


def _dice(mask: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    both = (mask & target).flatten(1).sum(dim=1)
    return 2 * both / (mask.flatten(1).sum(dim=1) + target.flatten(1).sum(dim=1)).clamp(min=1)
