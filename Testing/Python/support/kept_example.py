"""A corrected segment on the voxels of the self test's volume, as arrays; importable without Slicer."""

from __future__ import annotations

import numpy as np
from stroke_marks import painted_state

from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.mrml.autosave.kept_segment import KeptSegment, to_arrays

GRID = Grid((24, 24, 24), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
"""A volume node without a direction of its own, in LPS."""


def arrays() -> dict[str, np.ndarray]:
    """A red box with the marks of one stroke."""
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[6:9, 5:9, 4:9] = True
    marks = painted_state((24, 24, 24), ((4, 9), (5, 9), (6, 9)))
    return to_arrays([KeptSegment(GRID, mask, (255, 0, 51), marks)])
