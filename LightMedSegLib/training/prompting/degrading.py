"""Wrong masks to begin with: shifted, shrunken, grown, leaking, with a piece missing or too much."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from LightMedSegLib.learning.augmentation.axis_filters import blur_matrices, filter_axes
from LightMedSegLib.training.prompting.geodesic import geodesic_distance
from LightMedSegLib.training.prompting.painting import Painter

_NOISE_POINTS = (7, 10, 14)
_CANDIDATES = 4096
_LEAK_CONTRAST = 2.0
_LARGEST_LEAK = 0.3


class Degrading:
    """Makes wrong masks of the masks of one window size."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter

    def __call__(self, target: torch.Tensor, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
        """Return a mask, bool (1, 1, z, y, x), that differs from target, bool (1, 1, z, y, x), in one to three ways."""
        mask = target
        if random.random() < 0.7:
            mask = self._deformed(mask, generator, random)
        if random.random() < 0.3:
            shifts = [round(value) for value in random.normal(0, 2.5, 3)]
            mask = torch.roll(mask, shifts, dims=(2, 3, 4))
        if random.random() < 0.5:
            mask = mask & ~self._ball(target, generator, random)
        if random.random() < 0.4:
            mask = mask | self._ball(target, generator, random)
        return mask

    def leaked(self, image: torch.Tensor, target: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
        """Return target with a leak over even brightness, bool (1, 1, z, y, x); image: normalised, of that shape."""
        small = functional.avg_pool3d(image, 2, ceil_mode=True)
        seeds = functional.max_pool3d(target.float(), 2, ceil_mode=True) > 0
        distance = geodesic_distance(_LEAK_CONTRAST * small[:, 0], seeds)
        share = (seeds.float().mean() * float(np.exp(random.uniform(np.log(1.3), np.log(12))))).clamp(max=_LARGEST_LEAK)
        stride = max(1, distance.numel() // _CANDIDATES)
        leak = distance <= torch.quantile(distance.flatten()[::stride], share)
        spread = functional.interpolate(leak.float(), size=target.shape[2:], mode="trilinear", align_corners=False)
        return target | (spread > 0.5)

    def _deformed(self, mask: torch.Tensor, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
        """Return the mask with its surface moved by a smooth field, inwards or outwards on the whole."""
        # In proportion to the object: what is a dent in a large one would swallow a small one.
        width = (mask.float().sum().pow(1 / 3) * random.uniform(0.04, 0.15)).clamp(0.7, 4.0).reshape(1, 1)
        blur = [blur_matrices(size, width) for size in mask.shape[2:]]
        soft = filter_axes(mask.float(), (blur[0], blur[1], blur[2]))
        field = self._painter.field(int(random.choice(_NOISE_POINTS)), generator)[None]
        moved = random.uniform(0, 0.3) * field + random.uniform(-0.25, 0.25)
        return soft + moved * (soft > 0.02) > 0.5

    def _ball(self, target: torch.Tensor, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
        """Return a lumpy ball around a random voxel of the target's surface, in proportion to the target."""
        surface = target & (functional.max_pool3d((~target).float(), 3, 1, 1) > 0)
        noise = torch.rand(target.shape, generator=generator, device=target.device)
        chosen = (noise * surface).flatten().argmax()
        z, y, x = target.shape[2:]
        centre = (chosen // (y * x), chosen // x % y, chosen % x)
        volume = target.float().sum()
        # The radius of a sphere of a fraction of the target's volume.
        radius = (volume * random.uniform(0.05, 0.5) * 0.24).pow(1 / 3).clamp(min=1.5)
        distance = torch.zeros((), device=target.device)
        for axis, (size, place) in enumerate(zip((z, y, x), centre, strict=True), start=2):
            along = (torch.arange(size, device=target.device) - place).float().square()
            distance = distance + along.reshape([-1 if number == axis else 1 for number in range(5)])
        lumps = 1 + 0.25 * self._painter.field(10, generator)[None]
        return distance.sqrt() < radius * lumps
