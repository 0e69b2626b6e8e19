"""The cross-sections of a body in CT: how large each is, and whether an airway runs through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BODY_ABOVE = -300.0

AIRWAY_MM2 = (30.0, 3_000.0)
"""Air inside a neck or a face: trachea, larynx, pharynx. A lung is larger, and so is the hollow of a couch."""

_FROM_THE_EDGE = (0.15, 0.85)
"""Where in the width and depth of the body the air may lie: two legs and the couch enclose air at their edge."""


def cross_sections(array: NDArray[Any], pixel_mm2: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The area in mm2 of the largest body in each plane of a CT (planes, rows, columns), and where it has an airway.

    A table below the patient, or a second leg, does not count.
    """
    # One picture of all planes, with a rim around each, takes one call instead of hundreds.
    parts = _components(np.pad(array > BODY_ABOVE, ((0, 0), (1, 1), (1, 1))))
    body, areas = np.zeros(parts.shape, dtype=bool), np.zeros(len(parts))
    for index, plane in enumerate(parts):
        sizes = np.bincount(plane.ravel())
        sizes[0] = 0
        largest = int(sizes.argmax())
        if largest:
            body[index], areas[index] = plane == largest, sizes[largest] * pixel_mm2
    return areas, _has_airway(body, pixel_mm2)


def _has_airway(body: NDArray[np.bool_], pixel_mm2: float) -> NDArray[np.bool_]:
    """Whether each plane of body encloses air of the size of an airway, not at its edge."""
    air = _components(~body)
    places = np.nonzero(~body & (air != air[0, 0, 0]))
    _, first, names = np.unique(air[places], return_index=True, return_inverse=True)
    sizes, planes = np.bincount(names, minlength=len(first)), places[0][first]
    inside = (sizes * pixel_mm2 >= AIRWAY_MM2[0]) & (sizes * pixel_mm2 <= AIRWAY_MM2[1])
    for axis in (1, 2):
        centres = np.bincount(names, weights=places[axis], minlength=len(first)) / sizes
        used: NDArray[np.bool_] = np.any(body, axis=3 - axis)
        begin = used.argmax(axis=1)
        length = np.maximum(used.shape[1] - used[:, ::-1].argmax(axis=1) - 1 - begin, 1)
        place = (centres - begin[planes]) / length[planes]
        inside &= (place > _FROM_THE_EDGE[0]) & (place < _FROM_THE_EDGE[1])
    found = np.zeros(len(body), dtype=bool)
    found[planes[inside]] = True
    return found


def _components(mask: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Numbers of the parts of each plane that hang together, 0 outside; the rims of all planes hang together."""
    import SimpleITK as sitk

    components = sitk.ConnectedComponentImageFilter()
    # Done before a second thread has woken up.
    components.SetNumberOfThreads(1)
    picture = sitk.GetImageFromArray(mask.reshape(-1, mask.shape[2]).astype(np.uint8))
    parts: NDArray[np.uint32] = sitk.GetArrayFromImage(components.Execute(picture))
    return parts.reshape(mask.shape)


def runs(mask: Sequence[bool] | NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last index of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(mask, dtype=np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
