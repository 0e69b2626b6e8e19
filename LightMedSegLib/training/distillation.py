"""Knowledge distillation: the averaged probabilities of teacher networks as a soft target."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from LightMedSegLib.inference.sliding_window.aggregation import Flip, mirror_flips, mirrored_mean
from LightMedSegLib.learning.prepared_case import IGNORED

ORIGINAL_ALONE: Sequence[Flip] = tuple(mirror_flips(()))


def teacher_probabilities(
    teachers: Sequence[Callable[[torch.Tensor], torch.Tensor]],
    images: torch.Tensor,
    temperature: float,
    flips: Sequence[Flip] = ORIGINAL_ALONE,
) -> torch.Tensor:
    """Return the mean probabilities (B, C, z, y, x), float32, of the teachers at temperature, without gradient.

    flips: each teacher's logits are the mean over these mirror images, as in test-time mirroring.
    """

    def mean_logits(teacher: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return mirrored_mean(lambda image, number: teacher(image).float(), images, flips)

    with torch.no_grad():
        total = sum((mean_logits(teacher) / temperature).softmax(dim=1) for teacher in teachers)
        return torch.as_tensor(total) / len(teachers)


def distillation_loss(
    logits: torch.Tensor, probabilities: torch.Tensor, labels: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return the mean Kullback-Leibler divergence of the student (B, C, z, y, x) from the teachers' probabilities.

    Voxels labelled IGNORED are left out. The square of the temperature keeps the size of the gradient
    independent of it (Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015).
    """
    known = (labels != IGNORED).float()
    log_student = (logits.float() / temperature).log_softmax(dim=1)
    divergence = torch.nn.functional.kl_div(log_student, probabilities, reduction="none").sum(dim=1)
    return temperature**2 * (divergence * known).sum() / known.sum().clamp(min=1)
