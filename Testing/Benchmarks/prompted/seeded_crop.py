"""The part of a scan that a classical method works on, and its seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Grid, Region, bounding_box, region_of
from LightMedSegLib.interaction.strokes import Stroke
from prompted.automatic_user import MARGIN, WINDOW

OBJECT, BACKGROUND = 1, 2

SIDE = 64
"""Points of the finest spacing along each side of the window around the prompts."""

CONTRAST = 0.5
"""Half of the grey values that a method tells apart, as a part of the crop's range."""


def region_of_prompts(strokes: Sequence[Stroke], grid: Grid) -> Region:
    """The cube of SIDE points at the finest spacing around the first prompt, grown until it holds all prompts."""
    parts = []
    for axis in range(3):
        half = SIDE * min(grid.spacing) / grid.spacing[axis] / 2
        middle = sum(strokes[0].box[axis]) / 2
        first = min(middle - half, *(stroke.box[axis][0] for stroke in strokes))
        last = max(middle + half, *(stroke.box[axis][1] for stroke in strokes))
        parts.append(slice(max(0, round(first)), min(grid.size[axis], round(last))))
    x, y, z = parts
    return z, y, x


def region_of_object(truth: NDArray[np.bool_]) -> Region:
    """MARGIN times the object's box: what no user tells, but what helps a method that cannot know where to stop."""
    parts = []
    for part, size in zip(bounding_box(truth), truth.shape, strict=True):
        margin = max(1, round((MARGIN - 1) / 2 * (part.stop - part.start)))
        parts.append(slice(max(0, part.start - margin), min(size, part.stop + margin)))
    z, y, x = parts
    return z, y, x


class SeededCrop:
    """A region of a volume on at most WINDOW points along each side, with the prompts as seeds.

    values are 0..1 around the mean of the object's seeds. The faces of the crop are background where the volume goes
    on behind them, or everywhere if it does so nowhere: these methods need an end.
    """

    def __init__(self, image: sitk.Image, region: Region, strokes: Sequence[Stroke]) -> None:
        self._shape = image.GetSize()[::-1]
        self._region = region
        sizes = [part.stop - part.start for part in region]
        counts = [min(size, WINDOW) for size in sizes]
        ways = list(zip(sizes, counts, image.GetSpacing()[::-1], strict=True))
        self._nearest = [(np.arange(size) * count) // size for size, count, _ in ways]
        self.spacing = tuple(mm * size / count for size, count, mm in ways)
        self._marks = np.zeros(self._shape, dtype=np.uint8)
        for stroke in strokes:
            self._marks[region_of(stroke.box)][stroke.voxels] = OBJECT if stroke.include else BACKGROUND
        self.seeds = self._faces(counts)
        for value in (BACKGROUND, OBJECT):
            places = np.argwhere(self._marks[region] == value)
            self.seeds[tuple(near[column] for near, column in zip(self._nearest, places.T, strict=True))] = value
        middles = [np.floor((np.arange(count) + 0.5) * size / count).astype(int) for size, count, _ in ways]
        array = sitk.GetArrayViewFromImage(image)[region].astype(np.float32)
        self.values = self._scaled(array[np.ix_(*middles)])

    def whole(self, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """found as a mask of the volume, in which the prompts are as they were given."""
        mask = np.zeros(self._shape, dtype=bool)
        mask[self._region] = found[np.ix_(*self._nearest)]
        mask[self._marks == OBJECT] = True
        mask[self._marks == BACKGROUND] = False
        return mask

    def _faces(self, counts: Sequence[int]) -> NDArray[np.uint8]:
        seeds = np.zeros(counts, dtype=np.uint8)
        inner = [
            (axis, end)
            for axis, (part, size) in enumerate(zip(self._region, self._shape, strict=True))
            for end, goes_on in ((0, part.start > 0), (-1, part.stop < size))
            if goes_on
        ]
        for axis, end in inner or [(axis, end) for axis in range(3) for end in (0, -1)]:
            np.moveaxis(seeds, axis, 0)[end] = BACKGROUND
        return seeds

    def _scaled(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        low, high = np.percentile(array, (0.5, 99.5))
        half = max(CONTRAST * float(high - low), 1e-6)
        middle = float(array[self.seeds == OBJECT].mean())
        return np.clip((array - middle) / (2 * half) + 0.5, 0, 1).astype(np.float32)
