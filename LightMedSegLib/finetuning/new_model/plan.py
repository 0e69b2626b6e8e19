"""The plan of a new model: spacing, patch and normalisation by its scans, in a size that a small computer trains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.new_model.scan_facts import ORIENTATION, ScanFacts
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.drafts import UNKNOWN_MODALITY, is_draft

_STRIDE = 16
_CONTEXT_MM = 16.0
"""What a patch shows on each side of the largest structure, where the scan has as much."""

_MOST_VOXELS = 64**3
"""Of a patch; larger voxels and a patch that holds only _SHARE of the largest structure keep it below this."""

_SHARE = 0.6
_COARSER = 1.05
_STEPS = (60, 120)
_TRAINED_VOXELS = 22_000_000
"""Of all patches of one training, so that a job of four trainings takes less than five minutes on two cores."""

_CLIPPED = (0.5, 99.5)


def plan_input(scans: Sequence[ScanFacts]) -> dict[str, Any]:
    """Return the input description of the card of a model for scans like these."""
    spacing = np.median([scan.spacing for scan in scans], axis=0)
    size = np.max([scan.size for scan in scans], axis=0)
    extent = np.max([scan.extent for scan in scans], axis=0)
    seen = np.minimum(extent + 2 * _CONTEXT_MM, size)
    if np.prod(seen / spacing) > _MOST_VOXELS:
        seen = np.minimum(np.maximum(_SHARE * extent, 4 * _CONTEXT_MM), seen)
    least = float(spacing.min())
    while np.prod(seen / np.maximum(spacing, least)) > _MOST_VOXELS:
        least *= _COARSER
    spacing = np.maximum(spacing, least)
    patch = [max(1, math.ceil(length / _STRIDE - 0.25)) * _STRIDE for length in seen / spacing]
    return {
        "channels": [{"name": modality_of(scans), "normalization": _normalization(scans)}],
        "spacing_mm": [round(float(step), 3) for step in spacing],
        "orientation": ORIENTATION,
        "patch": patch[::-1],
        "view": "windows",
        "overlap": 0.5,
        "background_value": None,
    }


def modality_of(scans: Sequence[ScanFacts]) -> str:
    """Return the modality that all scans have, or UNKNOWN_MODALITY."""
    found = {scan.modality for scan in scans}
    known = found.pop() if len(found) == 1 else ""
    # A header can hold any text; a card takes letters only.
    return known if known.isalpha() and len(known) > 1 else UNKNOWN_MODALITY


def clean_up(scans: Sequence[ScanFacts], labels: int) -> list[dict[str, Any]]:
    """Return the postprocessing of the card: a structure with one component in every scan keeps its largest one."""
    single = [value for value in range(1, labels + 1) if all(value in scan.connected for scan in scans)]
    return [{"operation": "keep_largest_component", "labels": single, "joint": False}] if single else []


def training_settings(card: ModelCard, chosen: FinetuneSettings) -> FinetuneSettings:
    """Return the settings of a job: those chosen, or for a draft what suits it instead of the usual defaults.

    A draft has nothing to remember, so nothing pulls its weights back.
    """
    if not is_draft(card) or chosen != FinetuneSettings():
        return chosen
    voxels = math.prod(card.input.patch)
    batch = 2 if 2 * voxels <= _MOST_VOXELS + _MOST_VOXELS // 4 else 1
    low, high = _STEPS
    steps = min(high, max(low, _TRAINED_VOXELS // (batch * voxels)))
    return FinetuneSettings(steps=steps, batch=batch, learning_rate=3e-3, pull=0.0, rehearsal=0.0, averaging=0.95)


def _normalization(scans: Sequence[ScanFacts]) -> dict[str, Any]:
    """Return a window around the structures' Hounsfield units for CT, else a z-score of each volume."""
    if modality_of(scans) != "CT":
        return {"kind": "zscore", "clip_percentiles": list(_CLIPPED)}
    low, high = np.percentile(np.concatenate([scan.inside for scan in scans]), _CLIPPED)
    margin = max(50.0, 0.5 * float(high - low))
    lower, upper = float(low) - margin, float(high) + margin
    values = np.clip(np.concatenate([scan.around for scan in scans]), lower, upper)
    mean, deviation = float(values.mean()), max(1.0, float(values.std()))
    return {
        "kind": "window",
        "lower": round(lower, 1),
        "upper": round(upper, 1),
        "mean": round(mean, 2),
        "std": round(deviation, 2),
    }
