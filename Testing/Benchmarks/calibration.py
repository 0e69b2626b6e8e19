"""Calibration of a network's confidence: its expected error, and the temperature that reduces it.

Guo et al., On Calibration of Modern Neural Networks, ICML 2017: expected calibration error and temperature scaling.
Only voxels near a structure count: the air around a head would make any network look perfect. The logits are those that
ship, the mean over windows and mirror images: dividing the network's logits by a temperature divides it by the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from LightMedSegLib.inference.sliding_window.model_grid import Network, predict_logits
from LightMedSegLib.inference.sliding_window.windows import WindowRule
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

BINS = 15
NEAR_VOXELS = 3
"""Distance in voxels from a structure, true or predicted, within which voxels count."""

_PER_CASE = 10_000


@dataclass(frozen=True)
class Voxels:
    """logits: float32 (voxels, classes). classes: int64 (voxels,), the true ones."""

    logits: Tensor
    classes: Tensor


def sample_voxels(
    network: Network, cases: Sequence[PreparedCase], rule: WindowRule, mirror: Sequence[str] = (), seed: int = 0
) -> Voxels:
    """Return voxels near the structures of cases, at most 10,000 of each, drawn at random.

    Voxels of structures without labels in a case, true or predicted, are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    images = (torch.from_numpy(case.image) for case in cases)
    every_logits = predict_logits(network, images, rule, mirror=mirror)
    parts = [_near_structures(case, logits, generator) for case, logits in zip(cases, every_logits, strict=True)]
    return Voxels(torch.cat([part.logits for part in parts]), torch.cat([part.classes for part in parts]))


def expected_calibration_error(voxels: Voxels, temperature: float = 1.0, bins: int = BINS) -> float:
    """Return the mean difference of confidence and accuracy over bins of confidence, weighted by their voxels."""
    confidence, predicted = (voxels.logits / temperature).softmax(dim=1).max(dim=1)
    correct = (predicted == voxels.classes).double()
    number = (confidence * bins).long().clamp(max=bins - 1)
    counts = torch.bincount(number, minlength=bins).double()
    mean_confidence = torch.bincount(number, confidence.double(), bins) / counts.clamp(min=1)
    accuracy = torch.bincount(number, correct, bins) / counts.clamp(min=1)
    return float(((mean_confidence - accuracy).abs() * counts).sum() / counts.sum())


def fit_temperature(voxels: Voxels) -> float:
    """Return the temperature with the smallest cross-entropy, between 0.25 and 4."""
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


def _near_structures(case: PreparedCase, logits: Tensor, generator: torch.Generator) -> Voxels:
    """Voxels of the case, drawn at random from those that count; logits are (z, y, x, classes)."""
    truth, predicted = torch.from_numpy(case.labels).long(), logits.argmax(dim=-1)
    counted = _grown(((truth > 0) & (truth != IGNORED)) | (predicted > 0)) & (truth != IGNORED)
    if case.labelled is not None:
        for value in set(range(1, logits.shape[-1])) - set(case.labelled):
            counted &= predicted != value
    places = counted.flatten().nonzero()[:, 0]
    places = places[torch.randperm(len(places), generator=generator)[:_PER_CASE]]
    return Voxels(logits.flatten(0, 2)[places], truth.flatten()[places])
