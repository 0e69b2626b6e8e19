"""The expected number of wrong voxels, from the doubt of each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

GREATEST = 255
"""Doubt where the two best classes are equally likely: the label there is wrong as often as right."""


def expected_errors(doubt: NDArray[np.uint8], axis: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Return the expected number of wrong voxels of doubt, over all of it or summed over the dimensions of axis."""
    total: NDArray[Any] = np.asarray(doubt.sum(axis=axis, dtype=np.int64))
    return total / (2.0 * GREATEST)
