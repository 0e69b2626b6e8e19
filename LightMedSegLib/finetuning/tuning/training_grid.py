"""How much of a case a training step sees, and on which voxels, so that it fits a small computer.

Measured on whole heads (Testing/Benchmarks/finetune_protocol_shift.py): a network that was trained on the whole view
loses when it is fine-tuned on small pieces of it, and gains when it is fine-tuned on the whole view on larger voxels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional

from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.card import InputSpec


@dataclass(frozen=True)
class TrainingGrid:
    """patch: voxels (z, y, x) of a training patch; coarseness: its voxels' size relative to the model's."""

    patch: Shape
    coarseness: float
    batch: int
    steps: int


def training_grid(spec: InputSpec, stride: int, batch: int, steps: int, most_voxels: int) -> TrainingGrid:
    """The model's own patch and voxels where a batch of them has at most so many voxels.

    Else fewer patches a batch, then larger voxels as far as the card allows previews on them, then shorter sides, all
    in steps of stride. Where even a single patch is too large, two thirds of the steps are made: each takes seconds.
    """
    voxels = math.prod(spec.patch)
    batch = max(1, min(batch, most_voxels // voxels))
    if voxels <= most_voxels:
        return TrainingGrid(spec.patch, 1.0, batch, steps)
    largest = 1.0
    if spec.preview_spacing is not None:
        largest = min(large / own for large, own in zip(spec.preview_spacing, spec.spacing, strict=True))
    wanted = min(largest, (voxels / most_voxels) ** (1 / 3))
    z, y, x = (max(stride, round(side / wanted / stride) * stride) for side in spec.patch)
    patch = shortened((z, y, x), stride, most_voxels)
    coarseness = min(largest, max(side / small for side, small in zip(spec.patch, patch, strict=True)))
    return TrainingGrid(patch, coarseness, batch, max(1, round(steps * 2 / 3)))


def shortened(patch: Shape, stride: int, most_voxels: int) -> Shape:
    """patch, its longest sides shortened in steps of stride until it has at most most_voxels voxels."""
    sides = list(patch)
    while math.prod(sides) > most_voxels and max(sides) > stride:
        longest = sides.index(max(sides))
        sides[longest] = max(stride, (sides[longest] - 1) // stride * stride)
    z, y, x = sides
    return z, y, x


def coarsened(case: PreparedCase, coarseness: float) -> PreparedCase:
    """The case with voxels larger by this factor: the image interpolated linearly, the labels by nearest neighbour."""
    return case if coarseness == 1.0 else resized(case, [1 / coarseness] * 3)


def resized(case: PreparedCase, factors: Sequence[float]) -> PreparedCase:
    """The case with its numbers of voxels (z, y, x) multiplied by the factors: the same scan on another grid."""
    shape = tuple(max(1, round(size * factor)) for size, factor in zip(case.labels.shape, factors, strict=True))
    image, labels = (torch.from_numpy(array.astype(np.float32)) for array in (case.image, case.labels))
    image = functional.interpolate(image[None], shape, mode="trilinear", align_corners=False)[0]
    labels = functional.interpolate(labels[None, None], shape, mode="nearest-exact")[0, 0]
    return PreparedCase(case.name, image.numpy().astype(np.float16), labels.numpy().astype(np.uint8), case.labelled)
