"""Simulated skull stripping of varying quality, or none."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from LightMedSegLib.learning.augmentation.axis_filters import filter_axes
from LightMedSegLib.learning.augmentation.random_values import chosen, uniform
from LightMedSegLib.learning.synthesis_section import SynthesisSection
from LightMedSegLib.training.synthesis.labels import IndexTable


def brain_only(
    indices: torch.Tensor,
    table: IndexTable,
    settings: SynthesisSection,
    filters: Sequence[torch.Tensor],
    generator: torch.Generator,
) -> torch.Tensor:
    """Return the mask, bool (B, z, y, x), after skull stripping; all true in samples that are not stripped.

    A tight mask contains only the inner tissues. The others follow a smoothed outline of the brain, tighter or looser,
    like those of the usual programs, so some fluid, meninges or bone may remain. filters: one matrix (B, n, n) per
    axis that smooths the outline.
    """
    batch = len(indices)
    inner = table.inner[indices]
    outline = filter_axes(inner[:, None].float(), (filters[0], filters[1], filters[2]))[:, 0]
    tight = chosen(generator, batch, settings.tight_strip_probability)
    threshold = torch.where(tight, 2.0, uniform(generator, batch, 0.05, 0.55))
    kept = inner | (outline > threshold.reshape(-1, 1, 1, 1))
    stripped = chosen(generator, batch, settings.strip_probability)
    return kept | ~stripped.reshape(-1, 1, 1, 1)
