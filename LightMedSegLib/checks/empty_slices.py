"""Slices of zeros where a scan was cut off or only partly written; zeros around a body that was cut out are none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.measured_values import BACKGROUND_SHARE

_ABRUPT = 0.2
"""Largest share of zeros in the slice beside the empty ones; around a body, that slice is nearly all zeros."""


def empty_share(array: NDArray[Any]) -> float:
    """Return the share of the slices along an axis of array (z, y, x) that are empty on one side, 0 if few are.

    Fewer empty slices than BACKGROUND_SHARE are padding, which is replaced before the network runs.
    """
    most = 0.0
    for axis in range(3):
        for step in (1, -1):
            planes = np.moveaxis(array, axis, 0)[::step]
            count = next((index for index, plane in enumerate(planes) if plane.any()), 0)
            if count > BACKGROUND_SHARE * len(planes) and _ends_abruptly(planes[count]):
                most = max(most, count / len(planes))
    return most


def _ends_abruptly(plane: NDArray[Any]) -> bool:
    """Return whether a slice shows tissue nearly everywhere; a slice of one value is from a volume of such slices."""
    return float((plane == 0).mean()) < _ABRUPT and bool((plane != plane.flat[0]).any())
