"""Parts of masks in boxes of the lattice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Box, region_of


def placed(part: NDArray[np.bool_], box: Box, whole: Box) -> NDArray[np.bool_]:
    """A mask (z, y, x) of the box whole with the voxels of part, which covers box; the rest is False."""
    result = np.zeros([high - low for low, high in reversed(whole)], dtype=bool)
    if part.size:
        result[region_of(moved(box, [-low for low, _ in whole]))] = part
    return result


def moved(box: Box, shift: Sequence[int]) -> Box:
    """The box moved by voxels (x, y, z)."""
    x, y, z = ((low + step, high + step) for (low, high), step in zip(box, shift, strict=True))
    return (x, y, z)
