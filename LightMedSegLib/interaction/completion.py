"""From a stroke to what the network and the rules change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, grow_box, region_of
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.strokes import Change, Stroke

if TYPE_CHECKING:
    import SimpleITK as sitk


class Promptable(Protocol):
    """What completes strokes in one window: see completer.Completer."""

    def probability(
        self,
        image: NDArray[np.float32],
        mask: NDArray[np.float32],
        include: NDArray[np.float32],
        exclude: NDArray[np.float32],
        cancel: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """Return the probability (z, y, x) that a voxel of the window belongs to the object."""


@dataclass(frozen=True)
class Scene:
    """What a completion starts from.

    mask, hard, allowed: of the whole volume (z, y, x). strokes: the newest, which is to be completed, last.
    """

    volume: sitk.Image
    grid: Grid
    mask: NDArray[np.bool_]
    hard: NDArray[np.int8]
    strokes: Sequence[Stroke]
    new_object: bool
    allowed: NDArray[np.bool_] | None


def complete(scene: Scene, completer: Promptable, cancel: CancelToken) -> Change:
    """Return what the newest stroke of a scene changes, in the smallest box."""
    import SimpleITK as sitk

    stroke = scene.strokes[-1]
    box = grow_box(stroke.box, 30.0, scene.grid)
    part = region_of(box)
    image = sitk.GetArrayViewFromImage(scene.volume)[part].astype(np.float32)
    before = scene.mask[part].copy()
    marked = np.zeros(scene.grid.shape, dtype=bool)
    marked[region_of(stroke.box)] = stroke.voxels
    here = marked[part]
    empty = np.zeros_like(image)
    found = completer.probability(
        image,
        before.astype(np.float32),
        here.astype(np.float32) if stroke.include else empty,
        empty if stroke.include else here.astype(np.float32),
        cancel,
    )
    wanted = found > 0.5
    after = before | wanted if stroke.include else before & wanted
    free = scene.hard[part] == 0
    if scene.allowed is not None:
        free &= scene.allowed[part]
    after = np.where(free, after, before)
    after[here] = stroke.include
    return Change(box, before, after, passes=1).cropped()
