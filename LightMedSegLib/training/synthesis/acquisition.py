"""From tissue brightness to a scan: coil sensitivity, resolution and slices, noise, field of view, normalisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from LightMedSegLib.learning.augmentation.axis_filters import (
    averaging_matrices,
    blur_matrices,
    filter_axes,
    interpolation_matrices,
)
from LightMedSegLib.learning.augmentation.random_values import chosen, log_uniform, per_sample, uniform
from LightMedSegLib.learning.augmentation.smooth_fields import control_points, random_field, spline_matrix
from LightMedSegLib.learning.synthesis_section import SynthesisSection

_SPATIAL = (2, 3, 4)
_QUANTILE_STRIDE = 2


@dataclass(frozen=True)
class _Grid:
    """Scanner grid of a batch: per axis the matrices (B, n, n) to its voxels and back, and the covered range."""

    to_scanner: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    to_model: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    covered: tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Acquisition:
    """Simulates the scans of a batch, resampled to the model grid as in inference."""

    def __init__(
        self,
        settings: SynthesisSection,
        patch: tuple[int, int, int],
        spacing: tuple[float, float, float],
        device: torch.device,
    ) -> None:
        self._settings, self._patch, self._spacing = settings, patch, spacing
        self._splines = [
            spline_matrix(size, control_points(size, step, settings.bias_grid_mm), device)
            for size, step in zip(patch, spacing, strict=True)
        ]

    def outline_filters(self, batch: int, generator: torch.Generator) -> list[torch.Tensor]:
        """Filters (B, n, n) per axis that smooth the outline of a brain by 1 to 4 mm, each sample by its own."""
        sigma = uniform(generator, batch, 1, 4)
        return [blur_matrices(size, sigma / step) for size, step in zip(self._patch, self._spacing, strict=True)]

    def __call__(
        self, brightness: torch.Tensor, kept: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return images (B, 1, z, y, x), the mask after skull stripping, and the field of view, bool (B, z, y, x).

        brightness: (B, z, y, x), not negative; kept: bool (B, z, y, x). Beyond the field of view the image
        repeats its border, as inference pads.
        """
        settings, batch = self._settings, len(brightness)
        images = brightness[:, None]
        if settings.bias_probability > 0:
            strength = uniform(generator, batch, 0, settings.bias_sigma)
            strength = strength * chosen(generator, batch, settings.bias_probability)
            images = images * (random_field(batch, 1, self._splines, generator) * per_sample(strength)).exp()
        grid = self._scanner_grid(batch, generator)
        both = filter_axes(torch.cat([images, kept[:, None].to(images.dtype)], dim=1), grid.to_scanner)
        images = self._with_noise(both[:, :1], generator)
        both = filter_axes(torch.cat([images, both[:, 1:]], dim=1), grid.to_model)
        along_z, along_y, along_x = grid.covered
        covered = along_z[:, :, None, None] & along_y[:, None, :, None] & along_x[:, None, None, :]
        remaining = both[:, 1] > 0.5
        return both[:, :1] * remaining[:, None], remaining, covered

    def _scanner_grid(self, batch: int, generator: torch.Generator) -> _Grid:
        settings = self._settings
        coarse = uniform(generator, batch, *settings.coarse_mm)
        coarse = torch.where(chosen(generator, batch, settings.coarse_probability), coarse, 0.0)
        slices = log_uniform(generator, batch, *settings.slice_mm)
        slices = torch.where(chosen(generator, batch, settings.slice_probability), slices, 0.0)
        filled = uniform(generator, batch, 0.6, 1)  # the rest of a slice's distance is a gap
        axis_of_slices = torch.randint(3, (batch, 1), generator=generator, device=generator.device)
        blur = uniform(generator, batch, *settings.blur_mm)
        narrow = chosen(generator, batch, settings.view_probability)
        to_scanner, to_model, covered = [], [], []
        for axis, (size, step) in enumerate(zip(self._patch, self._spacing, strict=True)):
            voxel = torch.where(axis_of_slices == axis, torch.maximum(slices, coarse), coarse)
            factor = (voxel / step).clamp(min=1)
            thickness = torch.where(axis_of_slices == axis, factor * filled, factor).clamp(min=1)
            to_scanner.append(averaging_matrices(size, factor, thickness) @ blur_matrices(size, blur / step))
            first, last = self._view(batch, size, narrow, generator)
            place = torch.arange(size, device=generator.device)[None, :]
            covered.append((place >= first) & (place <= last))
            rows = torch.minimum(torch.maximum(place, first), last)
            back = interpolation_matrices(size, factor)
            to_model.append(back.gather(1, rows[:, :, None].expand(-1, -1, size)))
        return _Grid((*to_scanner,), (*to_model,), (*covered,))  # type: ignore[arg-type]

    def _view(
        self, batch: int, size: int, narrow: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """First and last voxel (B, 1) of the field of view along an axis of size voxels."""
        length = uniform(generator, batch, self._settings.view_fraction, 1) * size
        first = uniform(generator, batch, 0, 1) * (size - length)
        first, last = torch.where(narrow, first, 0.0), torch.where(narrow, first + length - 1, float(size - 1))
        return first.round().long(), last.round().long()

    def _with_noise(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Gaussian noise, or Rician as in a magnitude image, at the scanner's own resolution."""
        settings, batch = self._settings, len(images)
        sigma = uniform(generator, batch, 0, settings.noise_sigma)
        sigma = per_sample(sigma * chosen(generator, batch, settings.noise_probability))
        noise = torch.randn((2, *images.shape), generator=generator, device=images.device)
        real = images + sigma * noise[0]
        rician = (real.square() + (sigma * noise[1]).square()).sqrt()
        magnitude = per_sample(chosen(generator, batch, 0.7))
        return torch.where(magnitude, rician, real)


def normalise(images: torch.Tensor, limits: torch.Tensor) -> torch.Tensor:
    """Images (B, C, z, y, x), each clipped to the quantiles limits (2,) and brought to mean 0 and deviation 1.

    This is what inference does with a whole volume. The quantiles come from every second voxel along each axis,
    which is far more than they need.
    """
    step = _QUANTILE_STRIDE
    lower, upper = torch.quantile(images[..., ::step, ::step, ::step].flatten(1), limits, dim=1)
    images = torch.minimum(torch.maximum(images, per_sample(lower)), per_sample(upper))
    mean, deviation = images.mean(dim=_SPATIAL, keepdim=True), images.std(dim=_SPATIAL, keepdim=True)
    return (images - mean) / deviation.clamp(min=1e-6)
