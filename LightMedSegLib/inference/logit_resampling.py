"""From logits on the model's grid to labels on the volume's grid, plane by plane.

A label at a voxel of the volume is the class with the greatest linearly interpolated logit. Interpolating all
classes at every voxel would need gigabytes and seconds, and almost everywhere it would tell nothing: where all
surrounding model voxels agree on a class, every mixture of them agrees too. So only voxels between model voxels of
different class are interpolated; the others take the common class. The result is the same.

A graphics card interpolates all of them in less time than it takes to ask which are needed, and hands its labels over
many planes at a time: every question and every copy makes the program wait for the card.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

_ROUNDING = 1e-6
_NEVER = -1e4
"""A logit below all others that may be interpolated, which infinity must not."""
_VOXELS_AT_ONCE = 2**14
_PLANES_AT_ONCE = 32


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
    graphics card). absent: classes that no voxel has.
    """

    def __init__(
        self,
        labels: NDArray[np.uint8],
        positions: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
        device: torch.device | str = "cpu",
        everywhere: bool | None = None,
        absent: Sequence[int] = (),
    ):
        self._absent = torch.tensor(absent, dtype=torch.long, device=device)
        self._labels = labels
        self._everywhere = torch.device(device).type == "cuda" if everywhere is None else everywhere
        self._waiting: list[torch.Tensor] = []
        self._z, rows, columns = (_Axis(position) for position in positions)
        self._exact_in_plane = rows.exact and columns.exact
        self._rows, self._row_step, self._row_share = _on_device(rows, device)
        self._columns, self._column_step, self._column_share = _on_device(columns, device)
        self._next = 0
        self._previous: tuple[torch.Tensor, torch.Tensor] | None = None

    @property
    def needed(self) -> tuple[int, int]:
        """First and last plane of logits that any voxel depends on."""
        return int(self._z.lower[0]), int(self._z.upper[-1])

    def add(self, index: int, plane: torch.Tensor) -> None:
        """Take plane number index of the logits, (rows, columns, classes); planes come in order."""
        if len(self._absent):
            plane = plane.index_fill(-1, self._absent, _NEVER)
        z, winner = self._z, _greatest(plane)
        while self._next < len(z.lower) and z.upper[self._next] <= index:
            share = 1.0 if z.lower[self._next] == index else float(z.share[self._next])
            if self._everywhere:
                self._waiting.append(self._classes_everywhere(plane, share))
            elif share == 1.0:
                self._waiting.append(self._classes(plane, winner))
            else:
                self._waiting.append(self._classes_between(plane, winner, share))
            self._next += 1
            if not self._everywhere or len(self._waiting) == _PLANES_AT_ONCE or self._next == len(z.lower):
                self._hand_over()
        self._previous = plane, winner

    def _hand_over(self) -> None:
        first = self._next - len(self._waiting)
        self._labels[first : self._next] = torch.stack(self._waiting).cpu().numpy()
        self._waiting.clear()

    def _classes_everywhere(self, plane: torch.Tensor, share: float) -> torch.Tensor:
        if share < 1.0:
            assert self._previous is not None
            plane = torch.lerp(self._previous[0], plane, share)
        if self._exact_in_plane:
            return _greatest(plane.index_select(0, self._rows).index_select(1, self._columns))
        left, right = (plane.index_select(1, self._columns + step) for step in (0, self._column_step))
        across = torch.lerp(left, right, self._column_share[None, :, None])
        upper, lower = (across.index_select(0, self._rows + step) for step in (0, self._row_step))
        return _greatest(torch.lerp(upper, lower, self._row_share[:, None, None]))

    def _classes_between(self, plane: torch.Tensor, winner: torch.Tensor, share: float) -> torch.Tensor:
        assert self._previous is not None
        previous, previous_winner = self._previous
        between = torch.lerp(previous, plane, share)
        winner = winner.clone()
        differs = (winner != previous_winner).nonzero(as_tuple=True)
        winner[differs] = _greatest(between[differs])
        return self._classes(between, winner)

    def _classes(self, logits: torch.Tensor, winner: torch.Tensor) -> torch.Tensor:
        coarse = winner.index_select(0, self._rows).index_select(1, self._columns)
        if self._exact_in_plane:
            return coarse
        mixed = self._is_mixed(winner).index_select(0, self._rows).index_select(1, self._columns)
        for place in torch.split(mixed.view(-1).nonzero().view(-1), _VOXELS_AT_ONCE):
            coarse.view(-1)[place] = self._interpolated(logits, place)
        return coarse

    @staticmethod
    def _is_mixed(winner: torch.Tensor) -> torch.Tensor:
        """True where a model voxel, its neighbour below, right, or both are not all of one class."""
        mixed = torch.zeros_like(winner, dtype=torch.bool)
        mixed[:-1] |= winner[:-1] != winner[1:]
        differs = winner[:, :-1] != winner[:, 1:]
        mixed[:, :-1] |= differs
        mixed[:-1, :-1] |= differs[1:]
        return mixed

    def _interpolated(self, logits: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
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
        return _greatest(torch.lerp(upper, lower, self._row_share[row].unsqueeze(1)))


def _greatest(logits: torch.Tensor) -> torch.Tensor:
    return logits.argmax(dim=-1).to(torch.uint8)


def _on_device(axis: _Axis, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    step = torch.from_numpy(axis.upper - axis.lower)
    return torch.from_numpy(axis.lower).to(device), step.to(device), torch.from_numpy(axis.share).to(device)
