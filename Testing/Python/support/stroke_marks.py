"""Marks of strokes in the scene, as correcting leaves them."""

from __future__ import annotations

from typing import Any

import numpy as np

from LightMedSegLib.core.geometry import Box, region_of
from LightMedSegLib.interaction.saved_state import to_arrays
from LightMedSegLib.interaction.strokes import Stroke

Arrays = dict[str, np.ndarray]


def painted_state(shape: tuple[int, int, int], stroke: Box, completed: Box | None = None) -> Arrays:
    """The state of a session in which the box stroke was painted and completed in another box."""
    hard = np.zeros(shape, dtype=np.int8)
    hard[region_of(stroke)] = 1
    voxels = np.ones([last - first for first, last in reversed(stroke)], dtype=bool)
    state: dict[str, Any] = to_arrays(hard, [Stroke(True, stroke, voxels)], False)
    boxes = [] if completed is None else [completed]
    return {**state, "completed_boxes": np.array(boxes, dtype=np.int64).reshape(-1, 3, 2)}
