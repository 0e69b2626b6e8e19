"""What strokes corrected in a segmentation, as the scene keeps it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box
from LightMedSegLib.finetuning.cases.review import Corrections
from LightMedSegLib.interaction.saved_state import from_arrays
from LightMedSegLib.mrml.strokes.marks import MARKS_ROLE, kept_marks
from LightMedSegLib.mrml.volumes import volume_grid


def has_marks(segmentation_node: Any) -> bool:
    """Return whether a segmentation has been corrected by strokes; fast."""
    return segmentation_node.GetNodeReference(MARKS_ROLE) is not None


def corrections_of(segmentation_node: Any, volume_node: Any) -> Corrections | None:
    """Return what strokes corrected in all segments, in voxels of the volume; None without any there."""
    shape = volume_grid(volume_node).shape
    marked, completions = np.zeros(shape, dtype=bool), list[Box]()
    for state in kept_marks(segmentation_node).values():
        # Marks on the voxels of another volume, and damaged ones, say nothing about this one.
        with contextlib.suppress(InputImageError):
            marked |= from_arrays(state, shape)[0] != 0
            completions += _inside(_boxes(state), shape)
    return Corrections(marked, tuple(completions)) if completions or marked.any() else None


def _boxes(state: Mapping[str, NDArray[Any]]) -> Iterable[Any]:
    return state.get("completed_boxes", np.zeros((0, 3, 2), dtype=np.int64)).reshape(-1, 3, 2).tolist()


def _inside(boxes: Iterable[Any], shape: tuple[int, int, int]) -> list[Box]:
    """Return the boxes that lie in a volume of that shape (z, y, x)."""
    fitting = (
        (box, all(0 <= first < last <= size for (first, last), size in zip(box, shape[::-1], strict=True)))
        for box in boxes
    )
    return [((x[0], x[1]), (y[0], y[1]), (z[0], z[1])) for (x, y, z), fits in fitting if fits]
