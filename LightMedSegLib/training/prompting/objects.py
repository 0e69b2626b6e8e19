"""The objects of the cases, and the random windows in which the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase

_FEWEST_VOXELS = 30
_REMEMBERED = 64
_FILLED = 0.8
_FINEST = 0.5
"""Voxels of a window are at least this fraction of the case's: a person's window is never finer than the scan."""


@dataclass(frozen=True)
class ObjectPlace:
    """Where a label lies in its case: box (2, 3) of voxels (z, y, x), and voxels (n, 3) of it drawn at random."""

    value: int
    box: NDArray[np.float64]
    points: NDArray[np.float64]


@dataclass(frozen=True)
class WindowPlace:
    """A window of a case: voxel i of the window lies at centre + matrix @ (i - middle), in voxels (z, y, x)."""

    centre: NDArray[np.float64]
    matrix: NDArray[np.float64]


def find_objects(labels: NDArray[np.uint8], random: np.random.Generator) -> list[ObjectPlace]:
    """Return the labels of (z, y, x) that have enough voxels to be an object."""
    flat = np.flatnonzero((labels > 0) & (labels != IGNORED))
    if not len(flat):
        return []
    values = labels.ravel()[flat]
    order = np.argsort(values, kind="stable")
    present, starts = np.unique(values[order], return_index=True)
    places = []
    for value, voxels in zip(present.tolist(), np.split(flat[order], starts[1:]), strict=True):
        if len(voxels) >= _FEWEST_VOXELS:
            zyx = np.stack(np.unravel_index(voxels, labels.shape), axis=1)
            box = np.stack([zyx.min(0), zyx.max(0)]).astype(np.float64)
            points = zyx[random.integers(len(zyx), size=_REMEMBERED)]
            places.append(ObjectPlace(value, box, points.astype(np.float64)))
    return places


def random_window(
    place: ObjectPlace, patch: Sequence[int], extent: tuple[float, float], random: np.random.Generator
) -> WindowPlace:
    """Return a turned window at a random scale, centred near the object or near one of its voxels."""
    size, edge = float((place.box[1] - place.box[0]).max()) + 1, min(patch)
    fraction = np.exp(random.uniform(*np.log(extent)))
    return _near_object(place, edge, max(_FINEST, size / (fraction * edge)), random)


def own_window(place: ObjectPlace, patch: Sequence[int], random: np.random.Generator) -> WindowPlace:
    """Return a turned window with about the voxels of the case, coarser where the object does not fit."""
    size, edge = float((place.box[1] - place.box[0]).max()) + 1, min(patch)
    return _near_object(place, edge, max(1.0, size / (_FILLED * edge)), random)


def _near_object(place: ObjectPlace, edge: int, scale: float, random: np.random.Generator) -> WindowPlace:
    if random.random() < 0.5:
        centre, reach = place.box.mean(0), 0.12
    else:
        centre, reach = place.points[random.integers(len(place.points))], 0.28
    centre = centre + random.uniform(-reach, reach, 3) * edge * scale
    return WindowPlace(centre, scale * random_turn(random))


def whole_window(place: ObjectPlace, patch: Sequence[int], scale: float) -> WindowPlace:
    """Return the straight window around the object, coarser than scale if it does not fit.

    At scale 1 the voxels of a window with even sizes are those of the case.
    """
    size = float((place.box[1] - place.box[0]).max()) + 1
    return WindowPlace(np.floor(place.box.mean(0)) + 0.5, max(scale, size / (_FILLED * min(patch))) * np.eye(3))


def random_turn(random: np.random.Generator) -> NDArray[np.float64]:
    """Return axes exchanged and mirrored at random, and for some a rotation by a few degrees and a small stretch."""
    matrix = np.eye(3)[random.permutation(3)] * random.choice([-1.0, 1.0], 3)
    if random.random() < 0.5:
        skew = np.zeros((3, 3))
        skew[np.triu_indices(3, 1)] = np.radians(random.normal(0, 12, 3))
        rotation, _ = np.linalg.qr(np.eye(3) + skew - skew.T)
        matrix = rotation @ matrix * np.exp(random.normal(0, 0.08, 3))
    return matrix


class CaseOnDevice:
    """A case with its arrays on the device: image float16 (1, z, y, x) or None, labels uint8 (z, y, x)."""

    def __init__(self, case: PreparedCase, device: torch.device, seed: int) -> None:
        self.name = case.name
        self.image = torch.from_numpy(case.image).to(device) if case.image.shape[0] else None
        self.labels = torch.from_numpy(case.labels).to(device)
        self.objects = find_objects(case.labels, np.random.default_rng(seed))
        self.shape = np.array(case.labels.shape)

    def grid(self, window: WindowPlace, patch: Sequence[int]) -> torch.Tensor:
        """Return the places (1, z, y, x, 3) of the window's voxels as grid_sample wants them."""
        sizes = np.array(patch)
        # grid_sample counts from -1 to 1 over an array, and so does the affine grid over the window.
        to_unit = 2.0 / np.maximum(self.shape - 1, 1)
        turn = to_unit[:, None] * window.matrix * ((sizes - 1) / 2)[None, :]
        shift = to_unit * window.centre - 1
        # PyTorch counts the axes from x to z.
        theta = np.concatenate([turn[::-1, ::-1], shift[::-1, None]], axis=1)
        matrix = torch.tensor(theta[None], dtype=torch.float32)
        if self.labels.is_cuda:
            matrix = matrix.pin_memory().to(self.labels.device, non_blocking=True)
        return functional.affine_grid(matrix, [1, 1, *patch], align_corners=True)

    def grey(self, grid: torch.Tensor, repeat_border: bool) -> torch.Tensor:
        """Return the image (1, 1, z, y, x) on grid; beyond the case its border, or the smallest value found inside."""
        assert self.image is not None
        found = functional.grid_sample(self.image[None].float(), grid, "bilinear", "border", align_corners=True)
        if repeat_border:
            return found
        inside = self.within(grid)
        lowest = torch.where(inside, found, torch.inf).amin(dim=(2, 3, 4), keepdim=True)
        return torch.where(inside, found, lowest)

    def within(self, grid: torch.Tensor) -> torch.Tensor:
        """Return where grid lies in the case, bool (1, 1, z, y, x)."""
        return (grid.abs() <= 1).all(dim=-1)[:, None]

    def label_values(self, grid: torch.Tensor) -> torch.Tensor:
        """Return the labels (1, z, y, x) on grid, int64, 0 beyond the case."""
        labels = self.labels[None, None].float()
        return functional.grid_sample(labels, grid, "nearest", "zeros", align_corners=True)[:, 0].long()

    def mask(self, grid: torch.Tensor, values: Sequence[int]) -> torch.Tensor:
        """Return where the labels are among values, bool (1, 1, z, y, x), with a smooth outline."""
        inside = self.labels == values[0]
        for value in values[1:]:
            inside = inside | (self.labels == value)
        return functional.grid_sample(inside[None, None].float(), grid, "bilinear", "zeros", align_corners=True) > 0.5
