"""How far a network's confidence can be trusted, and the temperature that makes it more so.

Guo et al., On Calibration of Modern Neural Networks, ICML 2017: expected calibration error and temperature scaling.
Only voxels near a structure count: the air around a head would make any network look perfect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from LightMedSegLib.inference.windows import Shape, padding_before, plan_windows
from LightMedSegLib.learning.grid_inference import pad_to_patch
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

BINS = 15
NEAR_VOXELS = 3
"""Voxels this near to a structure, true or predicted, count."""

_PER_WINDOW = 2_000


@dataclass(frozen=True)
class Voxels:
    """logits: float32 (voxels, classes). classes: int64 (voxels,), the true ones."""

    logits: Tensor
    classes: Tensor


def sample_voxels(
    network: nn.Module, cases: Sequence[PreparedCase], patch: Shape, num_classes: int, seed: int = 0
) -> Voxels:
    """Voxels near the structures of cases, at most 2,000 of each window, drawn at random.

    Voxels of structures that a case does not mark, or predicted to be such, are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    parts = [part for case in cases for part in _of_case(network, case, patch, num_classes, generator)]
    return Voxels(torch.cat([part.logits for part in parts]), torch.cat([part.classes for part in parts]))


def expected_calibration_error(voxels: Voxels, temperature: float = 1.0, bins: int = BINS) -> float:
    """Mean distance of confidence and accuracy over bins of confidence, weighted by their voxels."""
    confidence, predicted = (voxels.logits / temperature).softmax(dim=1).max(dim=1)
    correct = (predicted == voxels.classes).double()
    number = (confidence * bins).long().clamp(max=bins - 1)
    counts = torch.bincount(number, minlength=bins).double()
    mean_confidence = torch.bincount(number, confidence.double(), bins) / counts.clamp(min=1)
    accuracy = torch.bincount(number, correct, bins) / counts.clamp(min=1)
    return float(((mean_confidence - accuracy).abs() * counts).sum() / counts.sum())


def fit_temperature(voxels: Voxels) -> float:
    """The temperature of least cross-entropy, between 0.25 and 4."""
    candidates = torch.logspace(-2, 2, 81, base=2).tolist()
    return min(candidates, key=lambda value: float(functional.cross_entropy(voxels.logits / value, voxels.classes)))


def _grown(mask: Tensor) -> Tensor:
    """mask (z, y, x) and everything within NEAR_VOXELS along each axis; one axis after the other costs less."""
    grown = mask[None].float()
    for axis in range(3):
        size, margin = [1, 1, 1], [0, 0, 0]
        size[axis], margin[axis] = 2 * NEAR_VOXELS + 1, NEAR_VOXELS
        grown = functional.max_pool3d(grown, size, 1, margin)
    return grown[0] > 0


def _of_case(
    network: nn.Module, case: PreparedCase, patch: Shape, num_classes: int, generator: torch.Generator
) -> Iterator[Voxels]:
    image = pad_to_patch(torch.from_numpy(case.image).float(), patch)
    z, y, x = image.shape[1:]
    labels = torch.full((z, y, x), IGNORED, dtype=torch.int64)
    before = padding_before((case.labels.shape[0], case.labels.shape[1], case.labels.shape[2]), (z, y, x))
    inside = tuple(slice(start, start + size) for start, size in zip(before, case.labels.shape, strict=True))
    labels[inside] = torch.from_numpy(case.labels).long()
    unmarked = [] if case.labelled is None else sorted(set(range(1, num_classes)) - set(case.labelled))
    for start in plan_windows((z, y, x), patch, 0.0):
        window = tuple(slice(first, first + size) for first, size in zip(start, patch, strict=True))
        truth = labels[window]
        with torch.inference_mode():
            logits = network(image[(slice(None), *window)][None])[0].float()
        predicted = logits.argmax(dim=0)
        structure = ((truth > 0) & (truth != IGNORED)) | (predicted > 0)
        if not structure.any():
            continue
        counted = _grown(structure) & (truth != IGNORED)
        for value in unmarked:
            counted &= predicted != value
        places = counted.flatten().nonzero()[:, 0]
        places = places[torch.randperm(len(places), generator=generator)[:_PER_WINDOW]]
        if len(places):
            yield Voxels(logits.flatten(1)[:, places].T.contiguous(), truth.flatten()[places])
