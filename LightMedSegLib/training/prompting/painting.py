"""Synthetic images: brightness drawn for each tissue of a map, and maps of random shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from LightMedSegLib.learning.augmentation.axis_filters import blur_matrices, filter_axes
from LightMedSegLib.learning.augmentation.random_values import uniform
from LightMedSegLib.learning.augmentation.smooth_fields import random_field, spline_matrix
from LightMedSegLib.training.prompting.regions import connected

TISSUES = 128
"""A map holds 2k and 2k + 1 for the left and the right half of a structure: tissue k."""
_FEW_LEVELS = 5
_FIELDS = 10


class Painter:
    """Paints maps of one window size."""

    def __init__(self, patch: Sequence[int], device: torch.device) -> None:
        self._patch, self._device = tuple(patch), device
        self._splines = {
            points: [spline_matrix(size, points, device) for size in patch] for points in (5, 7, 10, 14, 24)
        }
        axes = [(torch.arange(size, device=device) - (size - 1) / 2) / (size / 2) for size in patch]
        self._places = torch.stack(torch.meshgrid(*axes, indexing="ij"))

    def field(self, points: int, generator: torch.Generator, channels: int = 1) -> torch.Tensor:
        """Return smooth fields (channels, z, y, x) of standard deviation 1, from points control points an axis."""
        return random_field(1, channels, self._splines[points], generator)[0]

    def paint(self, tissues: torch.Tensor, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
        """Return an image (1, 1, z, y, x) of tissues, int64 (1, z, y, x)."""
        means = uniform(generator, 1, 0, 1, TISSUES)[0]
        if random.random() < 0.5:
            # As in real scans, many tissues look alike.
            levels = uniform(generator, 1, 0, 1, _FEW_LEVELS)[0]
            drawn = torch.randint(_FEW_LEVELS, (TISSUES,), generator=generator, device=self._device)
            means = levels[drawn] + 0.06 * (means - 0.5)
        if random.random() < 0.7:
            means = torch.cat([means[:1] * 0.05, means[1:]])
        texture = random.uniform(0, 0.12) * uniform(generator, 1, 0, 1, TISSUES)[0]
        noise = torch.randn(tissues.shape, generator=generator, device=self._device)
        coarse = self.field(24, generator)
        image = means[tissues] + texture[tissues] * (0.6 * noise + 0.8 * coarse)
        sigma = torch.full((1, 1), random.uniform(0.3, 1.3), device=self._device)
        blur = [blur_matrices(size, sigma) for size in self._patch]
        return filter_axes(image[:, None], (blur[0], blur[1], blur[2]))

    def shapes(self, generator: torch.Generator, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return tissues (1, z, y, x) of random regions, and one of them as object, bool (1, 1, z, y, x).

        The object is a region of the map near the middle, or a lobed or elongated body in front of it.
        """
        fields = self.field(int(random.choice([7, 10, 14])), generator, _FIELDS)
        tissues = fields.argmax(dim=0) + 1
        middle = random.uniform(-0.3, 0.3, 3)
        if random.random() < 0.25:
            z, y, x = (round((place + 1) / 2 * (size - 1)) for place, size in zip(middle, self._patch, strict=True))
            return tissues[None], connected(tissues == tissues[z, y, x], (z, y, x))[None, None]
        if random.random() < 0.3:
            tissues = torch.ones_like(tissues)
        for tissue in range(_FIELDS + 1, _FIELDS + 1 + random.integers(0, 4)):
            body = self._body(random.uniform(-0.8, 0.8, 3), generator, random)
            # Other bodies often look like the object: brightness alone does not tell where it ends.
            tissues = torch.where(body, _FIELDS + 5 if random.random() < 0.4 else tissue, tissues)
        body = self._body(middle, generator, random)
        return torch.where(body, _FIELDS + 5, tissues)[None], body[None, None]

    def _body(self, middle: np.ndarray, generator: torch.Generator, random: np.random.Generator) -> torch.Tensor:
        """Return an ellipsoid (z, y, x) of random size and direction whose surface a smooth field moves."""
        axes, _ = np.linalg.qr(random.normal(size=(3, 3)))
        radii = np.exp(random.uniform(np.log(0.1), np.log(1.0))) * np.exp(random.normal(0, 0.35, 3))
        matrix = torch.tensor(axes / radii[:, None], dtype=torch.float32)
        if self._device.type == "cuda":
            matrix = matrix.pin_memory().to(self._device, non_blocking=True)
        shifted = torch.stack([axis - float(place) for axis, place in zip(self._places, middle, strict=True)])
        radius = torch.einsum("ij,jzyx->izyx", matrix, shifted).square().sum(0).sqrt()
        roughness = random.uniform(0, 0.35)
        return radius + roughness * self.field(int(random.choice([5, 7, 10, 14])), generator)[0] < 1
