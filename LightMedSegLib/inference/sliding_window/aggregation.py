"""The weighted mean of the logits of overlapping windows, and the mean of those of mirror images.

The mean is taken in a few planes of memory. Windows come in the order of their first plane. Once a window begins at
plane n, no later one reaches the planes before n: they are finished, handed on, and their memory is used for the planes
to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch

from LightMedSegLib.core.labels import Swaps, swapped
from LightMedSegLib.inference.sliding_window.windows import Layout, Shape, gaussian_weights

AIR_LOGIT = 10.0
"""Logit of background where no window looked: decided, but not so far from others that borders would move."""

LARGEST_FLOAT32_BYTES = 2**30
"""Sums larger than this are kept as float16: their relative error of 0.0005 moves no border visibly."""

_DIMENSIONS = {"z": 2, "y": 3, "x": 4}

_PLANES = 8
"""That are turned back at a time: copies of all logits of a large window take gigabytes."""


class Aggregation:
    """Logits of a volume from those of its windows, which come in the order of layout.starts, handed on as they finish.

    finish: called with finished planes of the padded volume: their numbers, rising, and their logits
    (rows, columns, classes), float32, each valid after the call as well. passes: how often each window is added, as the
    logits of its mirror images, turned back; the mean of them counts.
    """

    def __init__(
        self, layout: Layout, finish: Callable[[Iterable[tuple[int, torch.Tensor]]], None], passes: int = 1
    ) -> None:
        self._layout, self._finish, self._passes = layout, finish, passes
        self._turn = 0
        self._kept = torch.empty(0)
        self._stitched: StitchedPlanes | None = None
        self._weights = torch.empty(0)

    def add(self, start: Shape, first: int, logits: torch.Tensor) -> None:
        """Add logits (z, y, x, classes) of the window at start: those of its planes from first on.

        Their memory may be used again after the call.
        """
        if self._layout.single and self._passes > 1:
            self._add_to_mean(first, logits)
            return
        if self._layout.single:
            last = first + len(logits) - 1
            # The last plane is needed again with the next ones, when its memory holds those.
            self._finish(
                (index, plane.clone() if index == last else plane.contiguous())
                for index, plane in enumerate(logits, first)
            )
            return
        if self._stitched is None:
            window = self._layout.window
            self._stitched = StitchedPlanes(self._layout.shape, window[0], logits.shape[-1], logits.device)
            self._weights = torch.from_numpy(gaussian_weights(window)).to(logits.device)
        if first == 0:
            self._finish(self._stitched.take(start[0]))
        here = (start[0] + first, start[1], start[2])
        self._stitched.add(here, logits.permute(3, 0, 1, 2), self._weights[first : first + len(logits)])

    def _add_to_mean(self, first: int, logits: torch.Tensor) -> None:
        """Add planes of the only window; those of its last mirror image finish the mean."""
        if first == 0:
            self._turn += 1
        if not self._kept.numel():
            self._kept = logits.new_empty((self._layout.window[0], *logits.shape[1:]))
        here = self._kept[first : first + len(logits)]
        if self._turn == 1:
            here.copy_(logits)
            return
        here += logits
        if self._turn == self._passes:
            here /= self._passes
            self._finish(enumerate(here, first))

    def end(self) -> None:
        """Finish the planes that are left: the last window was added."""
        if self._stitched is not None:
            self._finish(self._stitched.take(self._layout.shape[0]))


@dataclass(frozen=True)
class Flip:
    """A mirror image: the dimensions of a batch (B, channels, z, y, x) to flip, and the classes that change places."""

    dimensions: tuple[int, ...]
    swaps: Swaps = ()

    def seen(self, x: torch.Tensor, shifts: Shape) -> torch.Tensor:
        """The mirror image of x, padded as the mirror image of the volume would be."""
        moved = [(dim, shifts[dim - 2]) for dim in self.dimensions if shifts[dim - 2]]
        flipped = x.flip(self.dimensions)
        return torch.roll(flipped, [shift for _, shift in moved], [dim for dim, _ in moved]) if moved else flipped

    def back(self, logits: torch.Tensor, shifts: Shape) -> torch.Tensor:
        """The logits (B, classes, z, y, x) of the mirror image as those of the original."""
        for dim in self.dimensions:
            # Padding and order in one copy.
            logits = logits.index_select(dim, _origin(logits.shape[dim], shifts[dim - 2], logits.device))
        if not self.swaps:
            return logits
        order = swapped(self.swaps, logits.shape[1])
        return logits.index_select(1, torch.tensor(order, device=logits.device))

    def turn_planes(self, planes: torch.Tensor, shifts: Shape, out: torch.Tensor) -> None:
        """Write planes (z, y, x, classes) of a mirror image as those of the original to out; classes keep their places.

        The mirror image is not flipped along z.
        """
        rows, columns = (
            _origin(size, shifts[dim - 2]) if dim in self.dimensions else torch.arange(size)
            for dim, size in zip((3, 4), planes.shape[1:3], strict=True)
        )
        origins = (rows[:, None] * planes.shape[2] + columns).flatten()
        for plane, target in zip(planes.flatten(1, 2), out.view(len(out), -1, out.shape[3]), strict=True):
            torch.index_select(plane, 0, origins, out=target)

    def add_back(self, total: torch.Tensor, logits: torch.Tensor, shifts: Shape) -> None:
        """Add back(logits, shifts) to total, a few planes at a time where the planes of an axis keep their order."""
        kept = next((dim for dim in _DIMENSIONS.values() if dim not in self.dimensions), None)
        if kept is None:
            total += self.back(logits, shifts)
            return
        for sums, part in zip(total.split(_PLANES, kept), logits.split(_PLANES, kept), strict=True):
            sums += self.back(part, shifts)


def _origin(length: int, shift: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Where along an axis the voxels of the original lie in its padded mirror image."""
    return (length - 1 - torch.arange(length, device=device) + shift) % length


def mirror_flips(axes: Sequence[str], swaps: Swaps = ()) -> list[Flip]:
    """Each mirror image along these axes; the first one flips nothing. swaps: of the classes where x is flipped."""
    dimensions = [_DIMENSIONS[axis] for axis in axes]
    flips = [flip for count in range(len(dimensions) + 1) for flip in combinations(dimensions, count)]
    return [Flip(flip, swaps if _DIMENSIONS["x"] in flip else ()) for flip in flips]


def mirrored_mean(
    logits_of: Callable[[torch.Tensor, int], torch.Tensor],
    x: torch.Tensor,
    flips: Sequence[Flip],
    shifts: Shape = (0, 0, 0),
) -> torch.Tensor:
    """Mean logits of x (B, channels, z, y, x) over its mirror images, each turned back.

    logits_of(mirror image, its number in flips): its logits, which may be overwritten by the next call. shifts: the
    layout's.
    """
    logits = logits_of(x, 0)
    if len(flips) == 1:
        return logits
    total = logits.clone()
    for number, flip in enumerate(flips[1:], start=1):
        flip.add_back(total, logits_of(flip.seen(x, shifts), number), shifts)
    return total.div_(len(flips))


def padded(volume: torch.Tensor, layout: Layout) -> torch.Tensor:
    """volume (B, channels, z, y, x) with its border repeated to the layout's shape."""
    if volume.shape[2:] == layout.shape:
        return volume
    widths = [width for margins in reversed(layout.margins) for width in margins]
    return torch.nn.functional.pad(volume, widths, mode="replicate")


class StitchedPlanes:
    """Weighted mean of window logits, given out plane by plane as (rows, columns, classes), float32.

    Args:
        shape: (z, y, x) of the padded model grid. depth: planes of one window.
        classes: number of classes, which lie innermost in memory: one voxel's logits are one cache line.
    """

    def __init__(self, shape: Shape, depth: int, classes: int, device: torch.device | str = "cpu"):
        size = depth * shape[1] * shape[2] * classes
        dtype = torch.float32 if size * 4 <= LARGEST_FLOAT32_BYTES else torch.float16
        self._planes = shape[0]
        self._depth = depth
        self._sums = torch.zeros((depth, shape[1], shape[2], classes), dtype=dtype, device=device)
        self._weights = torch.zeros((depth, shape[1], shape[2], 1), device=device)
        self._first = 0

    def add(self, start: Shape, logits: torch.Tensor, weights: torch.Tensor) -> None:
        """Add one window: logits (classes, z, y, x), weights (z, y, x).

        Planes before start[0] must have been taken.
        """
        if start[0] < self._first or start[0] + logits.shape[1] > self._first + self._depth:
            raise ValueError("Windows must come in the order of their planes, after taking the finished ones.")
        rows = slice(start[1], start[1] + logits.shape[2])
        columns = slice(start[2], start[2] + logits.shape[3])
        values = logits.permute(1, 2, 3, 0)
        begin, plane = start[0] % self._depth, 0
        while plane < len(values):
            count = min(self._depth - begin, len(values) - plane)
            here = (slice(begin, begin + count), rows, columns)
            part = values[plane : plane + count]
            weight = weights[plane : plane + count].unsqueeze(-1)
            if self._sums.dtype == part.dtype:
                self._sums[here].addcmul_(part, weight)
            else:
                self._sums[here] += (part * weight).to(self._sums.dtype)
            self._weights[here] += weight
            plane += count
            begin = 0

    def take(self, before: int) -> Iterator[tuple[int, torch.Tensor]]:
        """The finished planes up to (not including) before, each with its number, in order."""
        while self._first < min(before, self._planes):
            slot = self._first % self._depth
            weight = self._weights[slot]
            plane = self._sums[slot].float() / weight.clamp_min(torch.finfo(torch.float32).tiny)
            plane[..., 0].masked_fill_(weight[..., 0] == 0, AIR_LOGIT)
            self._sums[slot].zero_()
            self._weights[slot].zero_()
            self._first += 1
            yield self._first - 1, plane
