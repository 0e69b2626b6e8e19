"""Brightness of each tissue: from a random MR sequence, or drawn without any physics.

A third of the scans in practice look like none of the simulated sequences, so drawn brightness remains part of the
mixture; the sequences ensure that the usual contrasts are well represented.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from LightMedSegLib.learning.augmentation.random_values import chosen, log_uniform, normal, uniform
from LightMedSegLib.learning.synthesis_section import SynthesisSection

_CLASS_JITTER = 0.06
_AGENT_T1_FACTOR = (0.08, 0.3)


@dataclass(frozen=True)
class Contrast:
    """Brightness of each class, air being class 0; all (B, classes), fractions of the brightest inner tissue.

    other: a second brightness that an extracerebral class is mixed of (fat in muscle, air in mucosa).
    sigma: standard deviation within the class. agent: bool (B, 1), whether a contrast agent was given.
    """

    mean: torch.Tensor
    other: torch.Tensor
    sigma: torch.Tensor
    agent: torch.Tensor


class ContrastSampler:
    """Draws a Contrast for each sample of a batch."""

    def __init__(self, settings: SynthesisSection, device: torch.device) -> None:
        self._settings = settings
        listed = [(number, tissue) for number, tissue in enumerate(settings.tissues) for _ in tissue.classes]
        self._tissue = torch.tensor([number for number, _ in listed], device=device)
        ranges = [
            [getattr(tissue, name)[end] for _, tissue in listed]
            for name in ("t1_ms", "t2_ms", "proton_density")
            for end in (0, 1)
        ]
        self._ranges = torch.tensor(ranges, device=device, dtype=torch.float32)
        self._outer = torch.tensor([tissue.extracerebral for _, tissue in listed], device=device)
        self._enhances = torch.tensor([tissue.enhances for _, tissue in listed], device=device)
        outer = self._outer.nonzero()[:, 0]
        self._exchangeable = outer if len(outer) else torch.arange(len(listed), device=device)

    def __call__(self, batch: int, generator: torch.Generator) -> Contrast:
        """Brightness for batch samples."""
        settings, count = self._settings, len(self._tissue)
        agent = chosen(generator, batch, settings.enhancement_probability)
        mean = self._physical(batch, agent & self._enhances, generator)
        free = uniform(generator, batch, 0, 1, count)
        by_tissue = uniform(generator, batch, 0, 1, len(settings.tissues))[:, self._tissue]
        by_tissue = (by_tissue + normal(generator, batch, _CLASS_JITTER, count)).abs()
        kind = uniform(generator, batch, 0, 1)
        physical = kind < settings.physical_probability
        drawn = torch.where(kind < settings.physical_probability + settings.free_probability, free, by_tissue)
        mean = torch.where(physical, mean, drawn)
        brightest = torch.where(self._outer, 0.0, mean).amax(dim=1, keepdim=True)
        mean = (mean / brightest.clamp(min=1e-3)).clamp(max=2.5)
        mean, other = self._disguised(mean, generator)
        sigma = uniform(generator, batch, 0, settings.texture_sigma) * uniform(generator, batch, 0.3, 1, count)
        # Most scanners write air as almost nothing; some sequences and reconstructions do not.
        air = uniform(generator, batch, 0, 0.15) * chosen(generator, batch, 0.2)
        return Contrast(
            torch.cat([air, mean], dim=1),
            torch.cat([air, other], dim=1),
            torch.cat([air * 0.2, sigma * (mean > 0)], dim=1),
            agent,
        )

    def _disguised(self, mean: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the brightness with extracerebral classes swapped or darkened, and their second brightness."""
        settings, (batch, count) = self._settings, mean.shape
        columns = self._exchangeable
        place = torch.randint(len(columns), (2, batch, count), generator=generator, device=mean.device)
        exchanged = mean.gather(1, columns[place[0]])
        second = mean.gather(1, columns[place[1]])
        swap = chosen(generator, batch, settings.exchange_probability, count) & self._outer
        dark = chosen(generator, batch, settings.drop_probability, count) & self._outer
        mixed = chosen(generator, batch, 0.5, count) & self._outer & ~dark
        mean = torch.where(dark, 0.0, torch.where(swap, exchanged, mean))
        return mean, torch.where(mixed, second, mean)

    def _physical(self, batch: int, agent: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Signal (B, classes) of spin echo, inversion recovery or spoiled gradient echo."""
        count = len(self._tissue)
        low, high = self._ranges[0::2], self._ranges[1::2]
        # All tissues' values rise together with the field strength; the rest differs from person to person.
        drawn = 0.4 * uniform(generator, batch, 0, 1, 3 * len(self._settings.tissues)).reshape(batch, 3, -1)
        drawn = drawn + 0.6 * uniform(generator, batch, 0, 1, 3)[:, :, None]
        values = low + (high - low) * drawn[:, :, self._tissue]
        values = values * normal(generator, batch, 0.04, 3 * count).reshape(batch, 3, count).exp()
        t1, t2, density = values.unbind(1)
        t1 = torch.where(agent, t1 * uniform(generator, batch, *_AGENT_T1_FACTOR), t1)
        kind = uniform(generator, batch, 0, 1)
        echo = _spin_echo(t1, t2, generator)
        inversion = _inversion_recovery(t1, t2, generator)
        gradient = _gradient_echo(t1, t2, generator)
        return density * torch.where(kind < 0.4, echo, torch.where(kind < 0.75, inversion, gradient))


def _spin_echo(t1: torch.Tensor, t2: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """T1-, proton-density- or T2-weighted by repetition and echo time."""
    repetition = log_uniform(generator, len(t1), 350, 7000)
    echo = log_uniform(generator, len(t1), 7, 130)
    return (1 - (-repetition / t1).exp()) * (-echo / t2).exp()


def _inversion_recovery(t1: torch.Tensor, t2: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Half of them with fluid nulled and a long echo (FLAIR), half like a magnetisation-prepared T1 or a STIR."""
    batch = len(t1)
    flair = chosen(generator, batch, 0.5)
    repetition = torch.where(flair, uniform(generator, batch, 5500, 11000), log_uniform(generator, batch, 1500, 6000))
    fluid = t1.amax(dim=1, keepdim=True)
    null = fluid * (math.log(2) - (-repetition / fluid).exp().log1p())
    null = null * uniform(generator, batch, 0.92, 1.08)
    inversion = torch.where(flair, null, log_uniform(generator, batch, 150, 1200))
    echo = torch.where(flair, uniform(generator, batch, 70, 140), log_uniform(generator, batch, 2, 60))
    signal = 1 - 2 * (-inversion / t1).exp() + (-repetition / t1).exp()
    return signal.abs() * (-echo / t2).exp()


def _gradient_echo(t1: torch.Tensor, t2: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Spoiled gradient echo, mostly T1-weighted."""
    batch = len(t1)
    recovery = (-log_uniform(generator, batch, 6, 60) / t1).exp()
    angle = uniform(generator, batch, math.radians(6), math.radians(40))
    echo = log_uniform(generator, batch, 2, 25)
    # Field inhomogeneity makes the signal of a gradient echo decay about twice as fast.
    return angle.sin() * (1 - recovery) / (1 - angle.cos() * recovery) * (-2 * echo / t2).exp()
