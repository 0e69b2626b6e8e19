"""Where the windows of a network lie in a volume, and how they are weighted: one rule for every use of a network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import Region
from LightMedSegLib.core.labels import Swaps

if TYPE_CHECKING:
    from LightMedSegLib.model.card import InputSpec

Shape = tuple[int, int, int]

SIGMA_FRACTION = 1 / 8
SMALLEST_WEIGHT = 1e-3

GROWTH_STEP = 16
"""Windows that grow have few sizes, as a CUDA device records the network for each."""

WHOLE_VOLUME_BYTES = 3 * 10**9
"""A whole-volume pass that is expected to need more memory than this goes window by window instead."""

# Measured peaks of our networks over 128 and 160 voxels cubed, three classes: 130 (tiny) to 364 (large).
_ACTIVATION_BYTES_PER_VOXEL = 300


@dataclass(frozen=True)
class WindowRule:
    """How a network goes over volumes.

    patch: voxels (z, y, x) of a window. overlap: share of a window, 0 to 0.9, that its neighbour sees too.
    stride: divides every size that the network sees. whole: one pass over the whole volume where memory allows.
    channels, classes: of the network, which decide about the memory of such a pass. swaps: classes that change places
    in a mirror image along x. largest: size (z, y, x) up to which a window grows along an axis that it then spans.
    """

    patch: Shape
    overlap: float = 0.5
    stride: int = 1
    whole: bool = False
    channels: int = 1
    classes: int = 2
    swaps: Swaps = ()
    largest: Shape | None = None

    @classmethod
    def of(
        cls, spec: InputSpec, stride: int, classes: int, overlap: float | None = None, swaps: Swaps = ()
    ) -> WindowRule:
        """The rule that a card's input describes; overlap: instead of the card's."""
        overlap = spec.overlap if overlap is None else overlap
        whole, channels = spec.view == "whole", len(spec.channels)
        return cls(spec.patch, overlap, stride, whole, channels, classes, swaps, spec.largest_patch)


@dataclass(frozen=True)
class Layout:
    """How a network goes over one volume; all sizes and positions are voxels (z, y, x).

    volume: shape of the volume. shape: of the volume once padded. before: padding in front of it.
    window: size of one pass of the network. starts: first voxels of the windows in the padded volume.
    """

    volume: Shape
    shape: Shape
    before: Shape
    window: Shape
    starts: list[Shape]

    @property
    def single(self) -> bool:
        """One pass sees everything: there is nothing to stitch."""
        return self.window == self.shape and len(self.starts) == 1

    @property
    def margins(self) -> list[tuple[int, int]]:
        """Voxels of padding in front and behind, for each axis."""
        sizes = zip(self.volume, self.shape, self.before, strict=True)
        return [(first, target - length - first) for length, target, first in sizes]

    @property
    def mirror_shifts(self) -> Shape:
        """By how many voxels (z, y, x) a flipped window moves so that its padding lies where it was.

        Only along axes that one window spans; elsewhere there is no padding to speak of.
        """
        z, y, x = (
            before - after if size == length else 0
            for (before, after), size, length in zip(self.margins, self.window, self.shape, strict=True)
        )
        return (z, y, x)

    @property
    def inside(self) -> Region:
        """The volume in the padded one."""
        return place_of(self.before, self.volume)


def plan_layout(shape: Shape, rule: WindowRule, body: NDArray[np.bool_] | None = None) -> Layout:
    """The layout for a volume of shape; with body (bool, of that shape), windows that hold nothing of it are left out.

    Where rule says whole, but the pass would take more than WHOLE_VOLUME_BYTES, there are windows.
    """
    patch = padded_shape(rule.patch, (1, 1, 1), rule.stride)
    if rule.whole:
        padded = padded_shape(shape, patch, rule.stride)
        if whole_volume_bytes(padded, rule.channels, rule.classes) <= WHOLE_VOLUME_BYTES:
            return Layout(shape, padded, padding_before(shape, padded), padded, [(0, 0, 0)])
    if rule.largest is not None:
        patch = grown_patch(shape, patch, rule.largest, rule.stride)
    padded = padded_shape(shape, patch, 1)
    layout = Layout(shape, padded, padding_before(shape, padded), patch, [])
    body = None if body is None else np.pad(body, layout.margins)
    layout.starts.extend(plan_windows(padded, patch, rule.overlap, body))
    return layout


def grown_patch(shape: Shape, patch: Shape, largest: Shape, stride: int = 1) -> Shape:
    """patch, longer along each axis that a window of up to largest then spans; in steps of GROWTH_STEP."""
    spanning = padded_shape(shape, patch, math.lcm(GROWTH_STEP, stride))
    z, y, x = (long if long <= most else size for long, most, size in zip(spanning, largest, patch, strict=True))
    return (z, y, x)


def whole_volume_bytes(shape: Shape, channels: int, classes: int) -> int:
    """Memory a pass over all of shape is expected to need."""
    return math.prod(shape) * (_ACTIVATION_BYTES_PER_VOXEL + 4 * channels + 8 * classes)


def place_of(start: Sequence[int], size: Sequence[int]) -> Region:
    """The slices (z, y, x) of a window."""
    z, y, x = (slice(first, first + length) for first, length in zip(start, size, strict=True))
    return z, y, x


def window_starts(length: int, patch: int, overlap: float) -> list[int]:
    """First voxels of the windows along one axis: evenly spread, from border to border.

    Neighbours are at most (1 - overlap) * patch apart. length is at least patch.
    """
    if length < patch:
        raise ValueError(f"A window of {patch} voxels does not fit into {length}; pad the volume.")
    step = max(1.0, patch * (1 - overlap))
    count = math.ceil((length - patch) / step) + 1
    if count == 1:
        return [0]
    return [round(index * (length - patch) / (count - 1)) for index in range(count)]


def plan_windows(shape: Shape, patch: Shape, overlap: float, body: NDArray[np.bool_] | None = None) -> list[Shape]:
    """Starts (z, y, x) of the windows that cover a volume of the given shape.

    With body (bool, of that shape) a window without a single body voxel is left out: it holds nothing but air.
    """
    starts = [window_starts(length, size, overlap) for length, size in zip(shape, patch, strict=True)]
    windows = [(z, y, x) for z in starts[0] for y in starts[1] for x in starts[2]]
    if body is None:
        return windows
    return [start for start in windows if body[place_of(start, patch)].any()]


def gaussian_weights(patch: Shape) -> NDArray[np.float32]:
    """Weights (z, y, x) of one window: a Gaussian that is 1 in the middle and at least SMALLEST_WEIGHT.

    Towards a window's border the network sees less of the surroundings, so its vote counts less there.
    """
    axes = []
    for size in patch:
        distance = (np.arange(size) - (size - 1) / 2) / (size * SIGMA_FRACTION)
        weights = np.exp(-0.5 * distance**2)
        axes.append((weights / weights.max()).astype(np.float32))
    weights = axes[0][:, None, None] * axes[1][:, None] * axes[2]
    return np.maximum(weights, np.float32(SMALLEST_WEIGHT), out=weights)


def nearest_ranges(starts: Sequence[int], size: int) -> list[tuple[int, int]]:
    """The voxels first to before last, along one axis, that each window weighs more than the others do.

    starts: first voxels, rising. Together the ranges hold every voxel of the windows once.
    """
    # Halfway between the middles of neighbours both weights are the same; a voxel there goes to the first of them.
    borders = [(a + b + size - 1) // 2 + 1 for a, b in pairwise(starts)]
    return list(zip([starts[0], *borders], [*borders, starts[-1] + size], strict=True))


def padded_shape(shape: Shape, patch: Shape, multiple: int) -> Shape:
    """The least shape that is at least patch and a multiple of multiple along every axis."""
    z, y, x = (-(-max(length, size) // multiple) * multiple for length, size in zip(shape, patch, strict=True))
    return (z, y, x)


def padding_before(shape: Shape, padded: Shape) -> Shape:
    """Voxels added in front of each axis when shape is padded to padded; the rest goes behind."""
    z, y, x = ((target - length) // 2 for length, target in zip(shape, padded, strict=True))
    return (z, y, x)
