"""Random changes of intensity, each sample by its own strength, all on the device."""

from __future__ import annotations

import torch

from LightMedSegLib.learning.augmentation.axis_filters import blur_matrices, filter_axes, low_resolution_matrices
from LightMedSegLib.learning.augmentation.random_values import chosen, log_uniform, normal, per_sample, uniform
from LightMedSegLib.learning.augmentation.smooth_fields import control_points, random_field, spline_matrix
from LightMedSegLib.learning.configuration import AugmentationSection

_SPATIAL = (2, 3, 4)


class IntensityAugmentation:
    """Bias field, gamma, brightness, contrast, blur, low resolution and noise, in this order.

    The order follows how a scan comes about: tissue contrast first, then the scanner's resolution, noise last.
    Images are normalised volumes (B, C, z, y, x) around zero.
    """

    def __init__(
        self,
        settings: AugmentationSection,
        patch: tuple[int, int, int],
        spacing: tuple[float, float, float],
        device: torch.device,
    ) -> None:
        self._settings, self._spacing = settings, spacing
        self._splines = [
            spline_matrix(size, control_points(size, step, settings.bias_field_grid_mm), device)
            for size, step in zip(patch, spacing, strict=True)
        ]

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The augmented images, float32."""
        settings = self._settings
        if settings.sign_inversion_probability > 0:
            flipped = chosen(generator, len(images), settings.sign_inversion_probability)
            images = images * per_sample(torch.where(flipped, -1.0, 1.0))
        if settings.bias_field_probability > 0:
            images = self._bias_field(images, generator)
        if settings.gamma_probability > 0:
            images = self._gamma(images, generator)
        images = self._brightness_and_contrast(images, generator)
        if settings.blur_probability > 0 or settings.low_resolution_probability > 0:
            images = self._resolution(images, generator)
        if settings.noise_probability > 0:
            images = self._noise(images, generator)
        return images

    def _bias_field(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        batch, settings = len(images), self._settings
        strength = chosen(generator, batch, settings.bias_field_probability) * settings.bias_field_sigma
        field = (random_field(batch, 1, self._splines, generator) * per_sample(strength)).exp()
        # The field multiplies what a scanner measures, which is not negative.
        lowest = images.amin(dim=_SPATIAL, keepdim=True)
        return (images - lowest) * field + lowest

    def _gamma(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        batch, settings = len(images), self._settings
        used = chosen(generator, batch, settings.gamma_probability)
        gamma = torch.where(used, log_uniform(generator, batch, *settings.gamma), 1.0)
        inverted = chosen(generator, batch, settings.gamma_inverted_probability) & used
        sign = per_sample(torch.where(inverted, -1.0, 1.0))
        turned = images * sign
        lowest, highest = turned.amin(dim=_SPATIAL, keepdim=True), turned.amax(dim=_SPATIAL, keepdim=True)
        span = (highest - lowest).clamp(min=1e-6)
        scaled = ((turned - lowest) / span).clamp(min=1e-6).pow(per_sample(gamma))
        bent = _with_statistics_of(scaled, turned) * sign
        return torch.where(per_sample(used), bent, images)

    def _brightness_and_contrast(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        batch, settings = len(images), self._settings
        brighter = chosen(generator, batch, settings.brightness_probability)
        factor = torch.where(brighter, log_uniform(generator, batch, *settings.brightness), 1.0)
        shift = normal(generator, batch, settings.shift_sigma) * brighter
        contrasted = chosen(generator, batch, settings.contrast_probability)
        contrast = torch.where(contrasted, log_uniform(generator, batch, *settings.contrast), 1.0)
        mean = images.mean(dim=_SPATIAL, keepdim=True)
        return (images - mean) * per_sample(contrast * factor) + mean * per_sample(factor) + per_sample(shift)

    def _resolution(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        batch, settings = len(images), self._settings
        sigma = uniform(generator, batch, *settings.blur_sigma_mm)
        sigma = sigma * chosen(generator, batch, settings.blur_probability)
        factor = uniform(generator, batch, *settings.low_resolution_factor)
        factor = torch.where(chosen(generator, batch, settings.low_resolution_probability), factor, 1.0)
        # Half of the coarse samples are coarse along one axis only: thick slices.
        thick = chosen(generator, batch, 0.5)
        slice_axis = torch.randint(3, (batch, 1), generator=generator, device=generator.device)
        matrices = []
        for axis in range(3):
            size = images.shape[2 + axis]
            own = torch.where(thick & (slice_axis != axis), 1.0, factor)
            blur = blur_matrices(size, sigma / self._spacing[axis])
            matrices.append(low_resolution_matrices(size, own) @ blur)
        return filter_axes(images, (matrices[0], matrices[1], matrices[2]))

    def _noise(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        batch, settings = len(images), self._settings
        sigma = uniform(generator, batch, 0.0, settings.noise_sigma)
        sigma = sigma * chosen(generator, batch, settings.noise_probability)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        return images + noise * per_sample(sigma)


def _with_statistics_of(images: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Images shifted and scaled to the mean and standard deviation of reference, sample by sample."""
    mean, deviation = images.mean(dim=_SPATIAL, keepdim=True), images.std(dim=_SPATIAL, keepdim=True)
    wanted_mean, wanted = reference.mean(dim=_SPATIAL, keepdim=True), reference.std(dim=_SPATIAL, keepdim=True)
    return (images - mean) / deviation.clamp(min=1e-6) * wanted + wanted_mean
