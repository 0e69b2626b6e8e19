"""A quick first look: the same model on larger voxels.

Only where the card allows it by naming their size: its input then has a preview_spacing_mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from LightMedSegLib.inference.segmentation import Segmentation, segment

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.core.geometry import Box
    from LightMedSegLib.core.progress import CancelToken, ProgressCallback
    from LightMedSegLib.model.card import ModelCard, Triple
    from LightMedSegLib.model.package import Model

WORTH_IT_VOXELS = 4_000_000
"""Below this many voxels on the model's grid the full result is there as soon as a preview could be looked at."""


def is_worth_it(shape: Sequence[int], spacing: Sequence[float], card: ModelCard) -> bool:
    """Whether a volume, or the region of it, of shape voxels at spacing mm is large enough for a preview."""
    return math.prod(shape) * math.prod(spacing) / math.prod(card.input.spacing) >= WORTH_IT_VOXELS


def segment_at(
    image: sitk.Image | Sequence[sitk.Image],
    model: str | Path | Model,
    device: str = "auto",
    roi: Box | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelToken | None = None,
    *,
    overlap: float | None = None,
    mirror: Sequence[str] | None = None,
    threads: int | None = None,
    spacing: Triple | None = None,
) -> Segmentation:
    """As :func:`LightMedSegLib.segment`; with spacing (x, y, z in mm) a preview, in which the model sees such voxels.

    A preview takes one quick pass: no mirror images, whatever was asked for.
    """
    if spacing is None:
        return segment(image, model, device, roi, progress, cancel, overlap=overlap, mirror=mirror, threads=threads)
    from LightMedSegLib.model.store import resolve_model

    own = resolve_model(model)
    coarse = replace(own, card=replace(own.card, input=replace(own.card.input, spacing=spacing)))
    result = segment(image, coarse, device, roi, progress, cancel, overlap=overlap, mirror=(), threads=threads)
    return replace(result, card=own.card)
