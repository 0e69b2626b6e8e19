"""From indices to brightness: tissue and its texture, and lesions and vessels, which no labelmap contains."""

from __future__ import annotations

import torch

from LightMedSegLib.learning.augmentation.random_values import chosen, per_sample, uniform
from LightMedSegLib.learning.augmentation.smooth_fields import control_points, random_field, spline_matrix
from LightMedSegLib.learning.synthesis_section import SynthesisSection
from LightMedSegLib.training.synthesis.contrast import Contrast
from LightMedSegLib.training.synthesis.labels import IndexTable

_LESION_GRID_MM = 9.0
_VESSEL_GRID_MM = 22.0
_TISSUE_GRID_MM = 9.0


class TissuePainter:
    """Turns indices into brightness: tissue, its texture, lesions and vessels."""

    def __init__(
        self,
        settings: SynthesisSection,
        table: IndexTable,
        patch: tuple[int, int, int],
        spacing: tuple[float, float, float],
    ) -> None:
        self._settings, self._table = settings, table
        self._lesions, self._vessels, self._mixture = (
            _splines(patch, spacing, distance, table.label.device)
            for distance in (_LESION_GRID_MM, _VESSEL_GRID_MM, _TISSUE_GRID_MM)
        )

    def __call__(self, indices: torch.Tensor, contrast: Contrast, generator: torch.Generator) -> torch.Tensor:
        """Brightness (B, z, y, x), not negative, of indices (B, z, y, x)."""
        settings, table, batch = self._settings, self._table, len(indices)
        mean = _look_up(contrast.mean[:, table.kind], indices)
        other = _look_up(contrast.other[:, table.kind], indices)
        share = (4 * random_field(batch, 1, self._mixture, generator)[:, 0]).sigmoid()
        images = mean + (other - mean) * share
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        images = images + noise * _look_up(contrast.sigma[:, table.kind], indices)
        if settings.lesion_probability > 0:
            images = self._with_lesions(images, indices, generator)
        if settings.vessel_probability > 0:
            images = self._with_vessels(images, indices, contrast.agent, generator)
        return images.clamp(min=0)

    def _with_lesions(self, images: torch.Tensor, indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        batch = len(images)
        field = random_field(batch, 1, self._lesions, generator)[:, 0]
        threshold = _volume(uniform(generator, batch, 1.4, 2.6))
        # A soft edge of about a voxel, as partial volume gives.
        share = (6 * (field - threshold)).sigmoid() * _volume(uniform(generator, batch, 0.4, 1))
        used = chosen(generator, batch, self._settings.lesion_probability)
        share = share * self._table.lesion[indices] * _volume(used)
        return images + (_volume(uniform(generator, batch, 0, 1.2)) - images) * share

    def _with_vessels(
        self, images: torch.Tensor, indices: torch.Tensor, agent: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Tubes around the curves where two smooth fields vanish together: dark by flow, bright by agent or inflow."""
        batch = len(images)
        fields = random_field(batch, 2, self._vessels, generator)
        radius = uniform(generator, batch, 0.04, 0.12)
        inside = fields.square().sum(dim=1) < _volume(radius.square())
        # Inside the brain vessels are too thin to see, so there is no need to teach the network to ignore them.
        inside = inside & (self._table.surrounding | self._table.extracerebral)[indices]
        bright = agent | chosen(generator, batch, 0.5)
        value = torch.where(bright, uniform(generator, batch, 0.8, 1.6), uniform(generator, batch, 0, 0.15))
        used = chosen(generator, batch, self._settings.vessel_probability) | agent
        return torch.where(inside & _volume(used), _volume(value), images)


def _look_up(values: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Values (B, n) at indices (B, z, y, x)."""
    return values.gather(1, indices.flatten(1)).reshape(indices.shape)


def _volume(values: torch.Tensor) -> torch.Tensor:
    return per_sample(values)[:, 0]


def _splines(
    patch: tuple[int, int, int], spacing: tuple[float, float, float], distance: float, device: torch.device
) -> list[torch.Tensor]:
    return [
        spline_matrix(size, control_points(size, step, distance), device)
        for size, step in zip(patch, spacing, strict=True)
    ]
