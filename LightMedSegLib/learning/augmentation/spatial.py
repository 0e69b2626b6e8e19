"""Random spatial transforms: crop, affine, elastic and mirroring in one resampling of the stack.

Coordinates are voxel indices (z, y, x) of each case. Lengths are mm, so an anisotropic model grid turns
and stretches as the anatomy would. Outside a case the image repeats its border, as the inference engine
pads, and the label is IGNORED: nothing is known there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional

from LightMedSegLib.learning.augmentation.random_values import chosen, normal, per_sample, uniform
from LightMedSegLib.learning.augmentation.smooth_fields import control_points, random_field, spline_matrix
from LightMedSegLib.learning.case_stack import CaseStack
from LightMedSegLib.learning.configuration import AXES, AugmentationSection
from LightMedSegLib.learning.prepared_case import IGNORED

_LINEAR_LABEL_CLASSES = 8  # more classes are resampled by nearest neighbour: a channel each costs too much


@dataclass(frozen=True)
class Batch:
    """What one step sees: images float32 (B, C, z, y, x), labels int64 (B, z, y, x), labelled bool (B, classes)."""

    images: torch.Tensor
    labels: torch.Tensor
    labelled: torch.Tensor


class SpatialSampler:
    """Draws patches from a CaseStack, augmented or centred and straight."""

    def __init__(
        self,
        stack: CaseStack,
        patch: tuple[int, int, int],
        spacing: tuple[float, float, float],
        num_classes: int,
        settings: AugmentationSection,
    ) -> None:
        device = stack.images.device
        self._stack, self._settings, self._num_classes = stack, settings, num_classes
        self._spacing = torch.tensor(spacing, device=device)
        self._patch = torch.tensor(patch, device=device, dtype=torch.float32)
        self._to_grid = 2.0 / (torch.tensor(stack.labels.shape[1:], device=device) - 1).clamp(min=1)
        axes = [
            (torch.arange(size, device=device) - (size - 1) / 2) * step
            for size, step in zip(patch, spacing, strict=True)
        ]
        self._offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        self._splines = [
            spline_matrix(size, control_points(size, step, settings.elastic_grid_mm), device)
            for size, step in zip(patch, spacing, strict=True)
        ]
        self._turned = torch.tensor([float(axis in settings.rotation_axes) for axis in AXES], device=device)
        self._swaps = torch.arange(256, device=device)
        for first, second in settings.mirror_label_swaps:
            self._swaps[first], self._swaps[second] = second, first

    def augmented(self, cases: torch.Tensor, generator: torch.Generator) -> Batch:
        """Randomly placed and deformed patches of the given cases (B,)."""
        return self._sample(cases, *self.random_places(cases, generator))

    def random_places(
        self, cases: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where the voxels of random patches lie: places, inside, mirrored.

        places: float (B, z, y, x, 3), voxel coordinates in the case, moved to its border where they lay beyond.
        inside: bool (B, z, y, x), False for those. mirrored: bool (B, 1), samples that are mirrored along x.
        """
        matrix, mirrored_x = self._affine(len(cases), generator)
        offsets = torch.einsum("bij,zyxj->bzyxi", matrix, self._offsets)
        settings = self._settings
        if settings.elastic_probability > 0:
            strength = chosen(generator, len(cases), settings.elastic_probability) * settings.elastic_mm
            field = random_field(len(cases), 3, self._splines, generator)
            offsets = offsets + (field * per_sample(strength)).permute(0, 2, 3, 4, 1)
        places, inside = self._places(cases, self._random_centres(cases, generator), offsets)
        return places, inside, mirrored_x

    def centred(self, cases: torch.Tensor) -> Batch:
        """The middle patch of each case, not deformed: the whole case where it fits into the patch."""
        # The low corner is a whole voxel, so that nothing is interpolated, and the one that inference pads to.
        corner = ((self._stack.sizes[cases].float() - self._patch) / 2).ceil()
        centres = corner + (self._patch - 1) / 2
        never = torch.zeros((len(cases), 1), dtype=torch.bool, device=cases.device)
        places, inside = self._places(cases, centres, self._offsets.expand(len(cases), -1, -1, -1, -1))
        return self._sample(cases, places, inside, never)

    def _affine(self, batch: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Matrices (B, 3, 3) from patch to case offsets in mm, and which samples are mirrored along x (B, 1)."""
        settings = self._settings
        limit = math.radians(settings.rotation_degrees)
        angles = uniform(generator, batch, -limit, limit, 3)
        angles = angles * chosen(generator, batch, settings.rotation_probability) * self._turned
        low, high = (math.log(factor) for factor in settings.scaling)
        size = uniform(generator, batch, low, high) + normal(generator, batch, settings.anisotropic_scaling, 3)
        size = size * chosen(generator, batch, settings.scaling_probability)
        if settings.zoom_out_probability > 0:
            low, high = (math.log(factor) for factor in settings.zoom_out)
            size = torch.where(
                chosen(generator, batch, settings.zoom_out_probability), uniform(generator, batch, low, high), size
            )
        size = size.exp()
        mirror = torch.stack(
            [chosen(generator, batch, 0.5 * (axis in settings.mirror_axes))[:, 0] for axis in AXES], dim=1
        )
        shear = torch.eye(3, device=generator.device) + normal(generator, batch, settings.shear, 9).reshape(-1, 3, 3)
        stretch = torch.diag_embed((1 / size) * torch.where(mirror, -1.0, 1.0))
        return rotation_matrices(angles) @ shear @ stretch, mirror[:, 2:]

    def _random_centres(self, cases: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Patch centres (B, 3) in voxels: on a structure, or anywhere the patch stays inside the case."""
        stack, settings, batch = self._stack, self._settings, len(cases)
        sizes = stack.sizes[cases].float()
        room = ((sizes - self._patch) / 2).clamp(min=0)
        anywhere = (sizes - 1) / 2 + uniform(generator, batch, -1, 1, 3) * room
        score = torch.rand((batch, self._num_classes), generator=generator, device=generator.device)
        value = (score * stack.has_points[cases]).argmax(dim=1)
        number = torch.randint(stack.points.shape[2], (batch,), generator=generator, device=generator.device)
        on_structure = stack.points[cases, value, number]
        lowest, highest = (sizes - 1) / 2 - room, (sizes - 1) / 2 + room
        on_structure = torch.maximum(torch.minimum(on_structure, highest), lowest)
        focused = chosen(generator, batch, settings.foreground_probability)
        focused = focused & stack.has_points[cases].any(dim=1, keepdim=True)
        shift = uniform(generator, batch, -settings.translation_mm, settings.translation_mm, 3) / self._spacing
        return torch.where(focused, on_structure, anywhere) + shift

    def _places(
        self, cases: torch.Tensor, centres: torch.Tensor, offsets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        highest = (self._stack.sizes[cases].float() - 1).reshape(-1, 1, 1, 1, 3)
        places = centres.reshape(-1, 1, 1, 1, 3) + offsets / self._spacing
        inside = ((places >= -0.5) & (places <= highest + 0.5)).all(dim=-1)
        return torch.maximum(torch.minimum(places, highest), torch.zeros_like(highest)), inside

    def _sample(
        self, cases: torch.Tensor, places: torch.Tensor, inside: torch.Tensor, mirrored_x: torch.Tensor
    ) -> Batch:
        stack = self._stack
        grid = (places * self._to_grid - 1.0).flip(-1)
        images = functional.grid_sample(stack.images[cases].float(), grid, mode="bilinear", align_corners=True)
        labels = self._sample_labels(cases, places, grid)
        labels = torch.where(inside, labels, IGNORED)
        labelled = stack.labelled[cases]
        if self._settings.mirror_label_swaps:
            labels = self.swapped(labels, mirrored_x)
            labelled = torch.where(mirrored_x, labelled[:, self._swaps[: self._num_classes]], labelled)
        return Batch(images, labels, labelled)

    def nearest_values(self, cases: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """What the cases' label arrays hold at places, int64 (B, z, y, x), whatever it means."""
        nearest = places.round().long()
        labels = self._stack.labels[cases.reshape(-1, 1, 1, 1), nearest[..., 0], nearest[..., 1], nearest[..., 2]]
        return labels.long()

    def swapped(self, labels: torch.Tensor, mirrored_x: torch.Tensor) -> torch.Tensor:
        """Labels (B, z, y, x) in which the left and right of mirrored samples (B, 1) changed places."""
        return torch.where(mirrored_x.reshape(-1, 1, 1, 1), self._swaps[labels], labels)

    def _sample_labels(self, cases: torch.Tensor, places: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        stack = self._stack
        label = self.nearest_values(cases, places)
        if self._settings.label_interpolation == "nearest" or self._num_classes > _LINEAR_LABEL_CLASSES:
            return label
        # Interpolating each class and taking the largest keeps a turned border smooth. Unknown voxels have
        # no class to interpolate, so they are taken from the nearest neighbour.
        values = torch.arange(self._num_classes, device=places.device, dtype=torch.uint8)
        classes = (stack.labels[cases][:, None] == values.reshape(1, -1, 1, 1, 1)).float()
        best = functional.grid_sample(classes, grid, mode="bilinear", align_corners=True).argmax(dim=1)
        return torch.where(label == IGNORED, label, best)


def rotation_matrices(angles: torch.Tensor) -> torch.Tensor:
    """Rotations (B, 3, 3) about the three axes in turn, from angles (B, 3) in radians."""
    cosine, sine = angles.cos(), angles.sin()
    one, zero = torch.ones_like(cosine[:, 0]), torch.zeros_like(cosine[:, 0])
    (c0, c1, c2), (s0, s1, s2) = cosine.unbind(1), sine.unbind(1)
    first = torch.stack([one, zero, zero, zero, c0, -s0, zero, s0, c0], dim=1)
    second = torch.stack([c1, zero, s1, zero, one, zero, -s1, zero, c1], dim=1)
    third = torch.stack([c2, -s2, zero, s2, c2, zero, zero, zero, one], dim=1)
    return first.reshape(-1, 3, 3) @ second.reshape(-1, 3, 3) @ third.reshape(-1, 3, 3)
