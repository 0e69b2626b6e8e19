"""From logits on the model's grid to labels on the volume's grid, plane by plane.

A label at a voxel of the volume is the class with the greatest linearly interpolated logit. Interpolating all
classes at every voxel would need gigabytes and seconds, and almost everywhere it would tell nothing: where all
surrounding model voxels agree on a class, every mixture of them agrees too. So only voxels between model voxels of
different class are interpolated; the others take the common class. The result is the same.

The logits are calibrated: of two classes whose logits differ by a margin m, the second is right with the probability
1 / (1 + e^m). Doubt is twice that, kept as one byte: 255 where both are equally likely, 0 where the first is certain.
Where no class is interpolated the margin is, one value a voxel: it is linear as long as both classes stay the same.

A graphics card interpolates all of them in less time than it takes to ask which are needed, and hands its labels over
many planes at a time: every question and every copy makes the program wait for the card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

_ROUNDING = 1e-6
_NEVER = -1e4
"""A logit below all others that may be interpolated, which infinity must not."""
_LOWEST = -1e30
_VOXELS_AT_ONCE = 2**14
_PLANES_AT_ONCE = 32
_VALUES_AT_ONCE = 2**25


class Best(NamedTuple):
    """classes: uint8, the class of the greatest logit. margin: float32, how much it exceeds the second greatest."""

    classes: torch.Tensor
    margin: torch.Tensor | None


class _Axis:
    """Where the voxels of one dimension lie between logits: lower and upper neighbour, share of the upper one."""

    def __init__(self, positions: NDArray[np.float64]):
        nearest = np.round(positions)
        positions = np.where(np.abs(positions - nearest) < _ROUNDING, nearest, positions)
        lower = np.floor(positions)
        self.share = (positions - lower).astype(np.float32)
        self.lower = lower.astype(np.int64)
        self.upper = self.lower + (self.share > 0)
        self.exact = bool((self.share == 0).all())


class LabelPlanes:
    """Takes the planes of logits in order and writes the classes of the voxels into labels.

    labels: uint8 (z, y, x), a view in the model's axis order, changed in place. positions: for each of its
    dimensions the rising continuous indices into the logits. everywhere: interpolate at every voxel (None: on a
    graphics card). absent: classes that no voxel has. doubt: an array as labels that gets the doubt (doubt_of)
    of each voxel, None for no doubt.
    """

    def __init__(
        self,
        labels: NDArray[np.uint8],
        positions: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
        device: torch.device | str = "cpu",
        everywhere: bool | None = None,
        absent: Sequence[int] = (),
        doubt: NDArray[np.uint8] | None = None,
    ):
        self._absent = torch.tensor(absent, dtype=torch.long, device=device)
        self._labels, self._doubt = labels, doubt
        self._everywhere = torch.device(device).type == "cuda" if everywhere is None else everywhere
        self._waiting: list[Best] = []
        self._z, rows, columns = (_Axis(position) for position in positions)
        # Where a voxel lies in a plane of logits, this plane counts alone.
        shares = np.where(self._z.share > 0, self._z.share, np.float32(1))
        self._plane_shares = torch.from_numpy(shares).to(device)[:, None, None, None]
        self._exact_in_plane = rows.exact and columns.exact
        self._rows, self._row_step, self._row_share = _on_device(rows, device)
        self._columns, self._column_step, self._column_share = _on_device(columns, device)
        self._next = self._written = 0
        self._before: torch.Tensor | None = None
        self._best_before: Best | None = None

    @property
    def needed(self) -> tuple[int, int]:
        """First and last plane of logits that any voxel depends on."""
        return int(self._z.lower[0]), int(self._z.upper[-1])

    def add(self, index: int, plane: torch.Tensor) -> None:
        """Take plane number index of the logits, (rows, columns, classes); planes come in order."""
        if len(self._absent):
            plane = plane.index_fill(-1, self._absent, _NEVER)
        ready = slice(self._next, int(np.searchsorted(self._z.upper, index, side="right")))
        if self._everywhere:
            self._waiting += self._best_everywhere(plane, ready)
        else:
            best = self._best(plane)
            for share in self._z.share[ready].tolist():
                found = self._resampled_between(plane, best, share) if share else self._resampled(plane, best)
                self._waiting.append(Best(found.classes[None], None if found.margin is None else found.margin[None]))
            self._best_before = best
        self._before, self._next = plane, ready.stop
        waiting, ended = self._next - self._written, self._next == len(self._z.lower)
        if waiting and (ended or not self._everywhere or waiting >= _PLANES_AT_ONCE):
            self._hand_over()

    def _best(self, logits: torch.Tensor) -> Best:
        return Best(greatest(logits), None) if self._doubt is None else best_two(logits)

    def _hand_over(self) -> None:
        """Write the labels, and the doubt, of the planes that wait."""
        waiting = slice(self._written, self._next)
        self._labels[waiting] = torch.cat([best.classes for best in self._waiting]).cpu().numpy()
        if self._doubt is not None:
            margins = [best.margin for best in self._waiting if best.margin is not None]
            self._doubt[waiting] = doubt_of(torch.cat(margins)).cpu().numpy()
        self._written = waiting.stop
        self._waiting.clear()

    def _best_everywhere(self, plane: torch.Tensor, ready: slice) -> Iterator[Best]:
        """Yield the planes of voxels between the plane before and this one, as many at a time as memory holds."""
        step = max(1, _VALUES_AT_ONCE // (len(self._rows) * len(self._columns) * plane.shape[-1]))
        before = plane if self._before is None else self._before
        for first in range(ready.start, ready.stop, step):
            shares = self._plane_shares[first : min(first + step, ready.stop)]
            # Several voxels lie in the same plane where the volume goes on beyond the model's grid.
            planes = plane.expand(len(shares), *plane.shape) if self._z.exact else torch.lerp(before, plane, shares)
            yield self._best(self._interpolated(planes))

    def _interpolated(self, planes: torch.Tensor) -> torch.Tensor:
        """Return planes (..., rows, columns, values) at every voxel."""
        if self._exact_in_plane:
            return planes.index_select(-3, self._rows).index_select(-2, self._columns)
        left, right = (planes.index_select(-2, self._columns + step) for step in (0, self._column_step))
        across = torch.lerp(left, right, self._column_share[:, None])
        upper, lower = (across.index_select(-3, self._rows + step) for step in (0, self._row_step))
        return torch.lerp(upper, lower, self._row_share[:, None, None])

    def _resampled_between(self, plane: torch.Tensor, best: Best, share: float) -> Best:
        previous, previous_best = self._before, self._best_before
        assert previous is not None and previous_best is not None
        between = torch.lerp(previous, plane, share)
        classes = best.classes.clone()
        differs = (classes != previous_best.classes).nonzero(as_tuple=True)
        found = self._best(between[differs])
        classes[differs] = found.classes
        margin = None
        if best.margin is not None and previous_best.margin is not None and found.margin is not None:
            margin = torch.lerp(previous_best.margin, best.margin, share)
            margin[differs] = found.margin
        return self._resampled(between, Best(classes, margin))

    def _resampled(self, logits: torch.Tensor, best: Best) -> Best:
        classes = best.classes.index_select(0, self._rows).index_select(1, self._columns)
        margin = None if best.margin is None else self._interpolated(best.margin[..., None])[..., 0]
        if self._exact_in_plane:
            return Best(classes, margin)
        mixed = self._is_mixed(best.classes).index_select(0, self._rows).index_select(1, self._columns)
        for place in torch.split(mixed.view(-1).nonzero().view(-1), _VOXELS_AT_ONCE):
            found = self._best(self._interpolated_at(logits, place))
            classes.view(-1)[place] = found.classes
            if margin is not None and found.margin is not None:
                margin.view(-1)[place] = found.margin
        return Best(classes, margin)

    @staticmethod
    def _is_mixed(winner: torch.Tensor) -> torch.Tensor:
        """True where a model voxel, its neighbour below, right, or both are not all of one class."""
        mixed = torch.zeros_like(winner, dtype=torch.bool)
        mixed[:-1] |= winner[:-1] != winner[1:]
        differs = winner[:, :-1] != winner[:, 1:]
        mixed[:, :-1] |= differs
        mixed[:-1, :-1] |= differs[1:]
        return mixed

    def _interpolated_at(self, logits: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
        columns = len(self._columns)
        row, column = torch.div(place, columns, rounding_mode="floor"), place % columns
        width = logits.shape[1]
        voxels = logits.reshape(-1, logits.shape[2])
        corner = self._rows[row] * width + self._columns[column]
        right = self._column_step[column]
        below = self._row_step[row] * width
        share = self._column_share[column].unsqueeze(1)
        upper = torch.lerp(voxels.index_select(0, corner), voxels.index_select(0, corner + right), share)
        corner = corner + below
        lower = torch.lerp(voxels.index_select(0, corner), voxels.index_select(0, corner + right), share)
        return torch.lerp(upper, lower, self._row_share[row].unsqueeze(1))


def greatest(logits: torch.Tensor) -> torch.Tensor:
    """The class (uint8) of the greatest of logits (..., classes)."""
    return logits.argmax(dim=-1).to(torch.uint8)


def best_two(logits: torch.Tensor) -> Best:
    """The class of the greatest of logits (..., classes), and its margin over the second greatest."""
    first, place = logits.max(dim=-1)
    # Two maxima take a third of the time of topk, which sorts.
    second = logits.scatter(-1, place.unsqueeze(-1), _LOWEST).amax(dim=-1)
    return Best(place.to(torch.uint8), (first - second).float())


def doubt_of(margin: torch.Tensor) -> torch.Tensor:
    """Doubt as uint8: 255 where margin is 0, 0 where it is large."""
    return torch.sigmoid(-margin).mul_(510.0).round_().to(torch.uint8)


def _on_device(axis: _Axis, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    step = torch.from_numpy(axis.upper - axis.lower)
    return torch.from_numpy(axis.lower).to(device), step.to(device), torch.from_numpy(axis.share).to(device)
