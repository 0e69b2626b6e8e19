"""What a completion may change of what the network proposes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Marks:
    """What the rules know of a box (z, y, x): the voxels of the newest stroke, and what earlier ones marked.

    hard: +1 painted, -1 erased, 0 free. allowed: what may change; None: every voxel. anchors: voxels of the mask that
    the network did not see.
    """

    stroke: NDArray[np.bool_]
    include: bool
    hard: NDArray[np.int8]
    allowed: NDArray[np.bool_] | None
    anchors: NDArray[np.bool_]


def permitted(
    before: NDArray[np.bool_], wanted: NDArray[np.bool_], marks: Marks, new_object: bool
) -> NDArray[np.bool_]:
    """Return the mask after a completion that proposes wanted; all arrays are of one box (z, y, x).

    The stroke's own voxels are as the user made them, other marked voxels and those that are not allowed stay. A
    painted stroke only adds and an erased one only removes. What changes in a segment hangs together with the stroke.
    What a stroke adds to a new object, or leaves of it, hangs together with a painted voxel or an anchor.
    """
    free = marks.hard == 0
    if marks.allowed is not None:
        free &= marks.allowed
    after = np.where(free, before | wanted if marks.include else before & wanted, before)
    after[marks.stroke] = marks.include
    if new_object:
        seeds = (marks.hard > 0) | marks.anchors
        seeds = seeds | marks.stroke if marks.include else seeds & ~marks.stroke
        kept = connected(after, seeds) | (before & marks.include)
        return np.where(free & ~marks.stroke, kept, after)
    changed = after != before
    return np.where(connected(changed | marks.stroke, marks.stroke), after, before)


def connected(mask: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of mask, connected over faces, edges or corners, that hold a seed."""
    import SimpleITK as sitk

    found = sitk.ConnectedComponentImageFilter()
    found.SetFullyConnected(True)
    parts = sitk.GetArrayFromImage(found.Execute(sitk.GetImageFromArray(mask.view(np.uint8))))
    kept = np.zeros(found.GetObjectCount() + 1, dtype=bool)
    kept[parts[seeds]] = True
    kept[0] = False
    return kept[parts]


def faces(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the outermost voxels of a box."""
    outermost = np.ones(shape, dtype=bool)
    outermost[tuple(slice(1, -1) for _ in shape)] = False
    return outermost
