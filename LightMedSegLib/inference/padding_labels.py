"""Labels where a volume holds padding: nothing was measured there, so nothing can be found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from LightMedSegLib.inference.preprocessing import PreparedVolume
    from LightMedSegLib.model.card import ModelCard

_SHARE_TO_TELL = 0.05


def clear_padding(
    labels: NDArray[np.uint8], prepared: PreparedVolume, card: ModelCard, doubt: NDArray[np.uint8] | None = None
) -> list[str]:
    """Make labels (z, y, x, of the whole volume) background in padding, without doubt (an array as labels).

    Returns sentences on structures that are cut there.
    """
    if prepared.padding is None:
        return []
    z, y, x = (slice(axis.start, axis.start + axis.length) for axis in reversed(prepared.grid_map.axes))
    part = labels[z, y, x]
    cut = np.bincount(part[prepared.padding], minlength=256)
    part[prepared.padding] = 0
    if doubt is not None:
        doubt[z, y, x][prepared.padding] = 0
    left = np.bincount(part.ravel(), minlength=256) if cut[1:].any() else cut
    return [
        f"{label.name} reaches into padding, where the volume holds no intensities, and is cut there."
        for label in card.labels
        if cut[label.value] > _SHARE_TO_TELL * (cut[label.value] + left[label.value])
    ]
