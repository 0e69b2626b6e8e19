"""The expected number of wrong voxels, from the doubt of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GREATEST = 255
"""Doubt where the two best classes are equally likely: the label there is wrong as often as right."""


def expected_errors(doubt: NDArray[np.uint8]) -> float:
    """Return the expected number of wrong voxels of doubt."""
    return float(doubt.sum(dtype=np.int64)) / (2.0 * GREATEST)
