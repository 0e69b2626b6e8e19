"""Gives a new region of interest a place and a size, so that the user can drag it."""

from __future__ import annotations

from typing import Any

_PART = 0.5


def place_new_roi(roi: Any, volume: Any) -> bool:
    """Place an ROI without a size around the middle half of a volume; returns whether it was placed."""
    if roi is None or volume is None or volume.GetImageData() is None or any(size > 0 for size in roi.GetSize()):
        return False
    if roi.GetDisplayNode() is None:
        roi.CreateDefaultDisplayNodes()
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    roi.SetCenterWorld([(low + high) / 2 for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
    roi.SetSizeWorld([_PART * (high - low) for low, high in zip(bounds[::2], bounds[1::2], strict=True)])
    return True
