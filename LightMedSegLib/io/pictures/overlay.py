"""Segments in colour over a grey slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.label_volumes import voxels_per_value
from LightMedSegLib.core.labels import Label

OPACITY, LIGHT_OPACITY = 0.5, 0.15
LIGHT_LINE_OPACITY = 0.6

LARGE = 8.0
"""A structure this many times larger than the median one is filled lightly, so that the scan stays visible."""

SOFT_TISSUE_HU = (-160.0, 240.0)
"""The usual window of soft tissue in CT: level 40, width 400."""

_PERCENTILES = (1.0, 99.7)

_HEADROOM = 1.25
"""White is at most this many times as bright as the brightest of the segments; fat may be brighter still."""


@dataclass(frozen=True)
class Paint:
    """Colours (256, 3), and opacities (256,) of areas and lines, of the label values."""

    colors: NDArray[np.uint8]
    areas: NDArray[np.float32]
    lines: NDArray[np.float32]

    @classmethod
    def of(cls, values: NDArray[np.uint8], labels: Sequence[Label], opacity: float = OPACITY) -> Paint:
        """Return the paint for the label values of a volume; opacity of the areas that are not filled lightly."""
        counts = voxels_per_value(values)
        counts[0] = 0
        colors = np.zeros((len(counts), 3), dtype=np.uint8)
        for label in labels:
            colors[label.value] = label.color
        large = counts > LARGE * np.median(counts[counts > 0]) if counts.any() else counts > 0
        areas, lines = np.where(large, LIGHT_OPACITY, opacity), np.where(large, LIGHT_LINE_OPACITY, 1.0)
        return cls(colors, areas.astype(np.float32), lines.astype(np.float32))


def window(gray: NDArray[np.float32], values: NDArray[np.uint8], modality: str | None) -> tuple[float, float]:
    """Return the intensities that are shown black and white: soft tissue in CT, else percentiles.

    gray, values: the intensities and label values of all pixels shown.
    """
    if modality == "CT":
        return SOFT_TISSUE_HU
    low, high = np.percentile(gray, _PERCENTILES).tolist()
    if values.any():
        high = min(high, low + _HEADROOM * (float(np.percentile(gray[values > 0], _PERCENTILES[1])) - low))
    return low, max(high, low + 1e-6)


def shaded(gray: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Return the slice in shades of grey, low black and high white."""
    return np.clip((gray - low) / (high - low) * 255.0, 0, 255).astype(np.uint8)


def painted(shade: NDArray[np.uint8], values: NDArray[np.uint8], paint: Paint, line: int = 1) -> NDArray[np.uint8]:
    """Return a grey slice (rows, columns, 3) with translucent segments and their outlines, line pixels wide."""
    picture = np.repeat(shade[..., None], 3, axis=2).astype(np.float32)
    tint = paint.colors[values].astype(np.float32)
    inside = values > 0
    opacity = np.where(_near_another_value(values, line), paint.lines[values], paint.areas[values])
    picture[inside] += (opacity[..., None] * (tint - picture))[inside]
    return np.round(picture).astype(np.uint8)


def _near_another_value(values: NDArray[np.uint8], distance: int) -> NDArray[np.bool_]:
    rows, columns = values.shape
    padded = np.pad(values, distance, mode="edge")
    near = np.zeros(values.shape, dtype=bool)
    for step in range(1, distance + 1):
        for down, right in ((0, -step), (0, step), (-step, 0), (step, 0)):
            top, left = distance + down, distance + right
            near |= padded[top : top + rows, left : left + columns] != values
    return near
