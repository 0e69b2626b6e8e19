"""Cleaning up a labelmap as the model card says: keep the largest part, drop crumbs, fill holes.

Every step works inside the labels' bounding box, so its cost follows the structure and not the scan.
Voxels that touch by a face, an edge or a corner belong together: a thin vessel is not cut where it runs diagonally.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region, bounding_box, span
from LightMedSegLib.core.itk_filters import run_filter
from LightMedSegLib.core.progress import CancelToken

_ROUNDING = 1e-6
_MOST_THREADS = 8
"""Each needs memory for the boxes of one structure."""


@dataclass(frozen=True)
class _Options:
    minimum_voxels: int
    cancel: CancelToken | None


def postprocess(
    labels: NDArray[np.uint8],
    steps: Sequence[Mapping[str, Any]],
    voxel_ml: float,
    cancel: CancelToken | None = None,
    threads: int = 1,
) -> None:
    """Apply the card's steps in order to labels (uint8, z, y, x), in place.

    keep_largest_component: only the largest connected part of each label stays, or, with "joint", of all of them as
    one structure. remove_small_components: parts smaller than minimum_ml become background. fill_holes: background
    that a label encloses completely becomes that label; other labels inside stay. voxel_ml is one voxel's volume.
    threads: how many structures are cleaned at the same time at most.

    Raises ValueError for an unknown operation and CancelledError once cancel is set.
    """
    for step in steps:
        if step["operation"] not in _OPERATIONS:
            raise ValueError(f"Unknown postprocessing {step['operation']!r}; known are {', '.join(_OPERATIONS)}.")
        minimum = int(np.ceil(float(step.get("minimum_ml", 0)) / voxel_ml - _ROUNDING))
        _apply(labels, step, _Options(minimum, cancel), threads)


def _apply(labels: NDArray[np.uint8], step: Mapping[str, Any], options: _Options, threads: int) -> None:
    operation, boxes = step["operation"], bounding_boxes(labels, options.cancel)
    groups = [step["labels"]] if step.get("joint") else [[value] for value in step["labels"]]

    def clean(group: Sequence[int]) -> None:
        region = _union([boxes[value] for value in group if value in boxes])
        if region is not None:
            _OPERATIONS[operation](labels[region], group, options)

    # Background that two labels enclose goes to the first; the other operations change the voxels of their group alone.
    together = 1 if operation == "fill_holes" else min(threads, _MOST_THREADS, len(groups))
    with ThreadPoolExecutor(max(1, together), thread_name_prefix="lightmedseg-clean-up") as executor:
        list(executor.map(clean, groups))


def bounding_boxes(labels: NDArray[np.uint8], cancel: CancelToken | None = None) -> dict[int, Region]:
    """The smallest box (slices of z, y, x) around each label that occurs, background not counted."""
    # A maximum takes a tenth of the time of telling labels apart.
    occupied = bounding_box(labels)
    inside = labels[occupied]
    planes: dict[int, list[int]] = {}
    for index, plane in enumerate(inside):
        if cancel is not None:
            cancel.raise_if_cancelled()
        for value in np.flatnonzero(np.bincount(plane.ravel())).tolist():
            planes.setdefault(value, []).append(index)
    planes.pop(0, None)
    boxes = {}
    for value, found in planes.items():
        slab = inside[found[0] : found[-1] + 1]
        flat = np.zeros(slab.shape[1:], dtype=bool)
        for part in slab:
            flat |= part == value
        spans = (slice(found[0], found[-1] + 1), span(flat.any(axis=1)), span(flat.any(axis=0)))
        z, y, x = (
            slice(whole.start + part.start, whole.start + part.stop)
            for whole, part in zip(occupied, spans, strict=True)
        )
        boxes[value] = (z, y, x)
    return boxes


def _union(boxes: Sequence[Region]) -> Region | None:
    if not boxes:
        return None
    z, y, x = (slice(min(box[d].start for box in boxes), max(box[d].stop for box in boxes)) for d in range(3))
    return z, y, x


def _mask(labels: NDArray[np.uint8], group: Sequence[int]) -> NDArray[np.bool_]:
    mask = labels == group[0]
    for value in group[1:]:
        mask |= labels == value
    return mask


def _components(mask: NDArray[np.bool_], options: _Options, corners: bool = True) -> tuple[sitk.Image, int]:
    """Return the connected parts of mask, numbered, and their number; corners: an edge or a corner connects, too."""
    connected = sitk.ConnectedComponentImageFilter()
    connected.SetFullyConnected(corners)
    parts = run_filter(connected, options.cancel, sitk.GetImageFromArray(mask.view(np.uint8)))
    return parts, connected.GetObjectCount()


def _by_size(parts: sitk.Image, options: _Options) -> NDArray[np.uint32]:
    """Return parts numbered by decreasing size, without those of fewer than minimum_voxels."""
    by_size = sitk.RelabelComponentImageFilter()
    by_size.SetMinimumObjectSize(options.minimum_voxels)
    # An array of its own: a view of an image that nobody else holds would outlive its memory.
    numbered: NDArray[np.uint32] = sitk.GetArrayFromImage(run_filter(by_size, options.cancel, parts))
    return numbered


def _keep_largest(labels: NDArray[np.uint8], group: Sequence[int], options: _Options) -> None:
    mask = _mask(labels, group)
    parts, count = _components(mask, options)
    if count > 1:
        labels[mask & (_by_size(parts, options) != 1)] = 0


def _remove_small(labels: NDArray[np.uint8], group: Sequence[int], options: _Options) -> None:
    mask = _mask(labels, group)
    labels[mask & (_by_size(_components(mask, options)[0], options) == 0)] = 0


def _fill_holes(labels: NDArray[np.uint8], group: Sequence[int], options: _Options) -> None:
    mask = _mask(labels, group)
    # Where the label connects at corners its surroundings must connect at faces only, or they would leak through it.
    parts = sitk.GetArrayFromImage(_components(~mask, options, corners=False)[0])
    faces = [parts[side] for side in (0, -1)] + [parts[:, side] for side in (0, -1)] + [parts[..., 0], parts[..., -1]]
    enclosed = np.ones(int(parts.max()) + 1, dtype=bool)
    enclosed[0] = False
    for face in faces:
        enclosed[face.ravel()] = False
    labels[enclosed[parts] & (labels == 0)] = group[0]


_OPERATIONS = {
    "keep_largest_component": _keep_largest,
    "remove_small_components": _remove_small,
    "fill_holes": _fill_holes,
}
