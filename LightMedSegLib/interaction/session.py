"""A segment that a person corrects by strokes, independent of Slicer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Box, Grid, region_of, union_box
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction import saved_state
from LightMedSegLib.interaction.completion import Promptable, Scene, complete
from LightMedSegLib.interaction.history import Bits, Hard, History, Step
from LightMedSegLib.interaction.strokes import Change, Stroke, check_inside

if TYPE_CHECKING:
    import SimpleITK as sitk


class CorrectionSession:
    """One segment of a volume: its mask, what the user marked, and the network that completes the marks.

    volume: a scalar 3D image; it is not copied and must not change. mask: the segment (z, y, x), copied; None: empty.
    new_object: the structure is made by clicks, so a completion may change all of it, not only what lies at the stroke.

    Methods may be called from any thread and take turns. Only propose is slow: a worker thread calls it on a snapshot,
    and accept protects whatever was marked since then.

    Raises InputImageError for a volume or mask that cannot be corrected.
    """

    def __init__(
        self,
        volume: sitk.Image,
        completer: Promptable,
        mask: NDArray[np.bool_] | None = None,
        new_object: bool = False,
    ):
        if volume.GetDimension() != 3 or volume.GetNumberOfComponentsPerPixel() != 1:
            raise InputImageError("The volume is not a scalar 3D image; choose one that is.")
        self.volume, self.completer, self.new_object = volume, completer, new_object
        self.grid = Grid.of(volume)
        if mask is not None and mask.shape != self.grid.shape:
            raise InputImageError(f"The mask has {mask.shape} voxels (z, y, x), but the volume has {self.grid.shape}.")
        self._mask = np.zeros(self.grid.shape, dtype=bool) if mask is None else np.array(mask, dtype=bool)
        self._hard = np.zeros(self.grid.shape, dtype=np.int8)
        self._strokes: list[Stroke] = []
        self._history = History()
        self._turn = threading.RLock()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The segment (z, y, x), read-only."""
        return _read_only(self._mask)

    @property
    def hard(self) -> NDArray[np.int8]:
        """What the user marked (z, y, x), read-only: +1 painted, -1 erased, 0 free for the network."""
        return _read_only(self._hard)

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """All strokes that are in effect, the oldest first."""
        return tuple(self._strokes)

    def snapshot(self) -> CorrectionSession:
        """Return a copy without history for a worker thread; the volume and the network are shared."""
        with self._turn:
            other = CorrectionSession(self.volume, self.completer, self._mask, self.new_object)
            other._hard[...] = self._hard
            other._strokes = list(self._strokes)
        return other

    def add_stroke(
        self, stroke: Stroke, allowed: NDArray[np.bool_] | None = None, cancel: CancelToken | None = None
    ) -> Change:
        """Mark the stroke's voxels, let the network complete them, and return what changed.

        allowed: voxels of the volume (z, y, x) that the network may change; None: all. Raises InputImageError for a
        stroke outside the volume, CancelledError once cancel is set (nothing is changed then).
        """
        return self.accept(stroke, self.propose(stroke, allowed, cancel))

    def propose(
        self,
        stroke: Stroke,
        allowed: NDArray[np.bool_] | None = None,
        cancel: CancelToken | None = None,
        made: bool = False,
    ) -> Change:
        """Return what add_stroke would change; nothing is changed. made: whether the mask has the stroke already."""
        start = time.perf_counter()
        check_inside(stroke, self.grid)
        if allowed is not None and allowed.shape != self.grid.shape:
            raise InputImageError(
                f"The array of allowed voxels has the shape {allowed.shape} (z, y, x), but the volume has "
                f"{self.grid.shape}."
            )
        if allowed is not None:
            allowed = np.asarray(allowed, dtype=bool)
        with self._turn:
            scene = Scene(
                self.volume,
                self.grid,
                self._mask,
                self._hard,
                (*self._still_marked(), stroke),
                self.new_object,
                allowed,
                made,
            )
            change = complete(scene, self.completer, cancel or CancelToken())
        return replace(change, seconds=time.perf_counter() - start)

    def accept(self, stroke: Stroke, change: Change) -> Change:
        """Mark the stroke's voxels, take what was proposed where the user marked nothing, and return the change."""
        check_inside(stroke, self.grid)
        with self._turn:
            box = union_box(stroke.box, change.box)
            before = self._mask[region_of(box)].copy()
            hard_before = self._hard[region_of(stroke.box)].copy()
            part = self._mask[region_of(change.box)]
            taken = change.changed & (self._hard[region_of(change.box)] == 0)
            part[taken] = change.after[taken]
            self._mask[region_of(stroke.box)][stroke.voxels] = stroke.include
            self._hard[region_of(stroke.box)][stroke.voxels] = 1 if stroke.include else -1
            self._strokes.append(stroke)
            done = replace(change, box=box, before=before, after=self._mask[region_of(box)].copy()).cropped()
            self._remember(done, stroke.box, hard_before, stroke)
        return done

    def add_edit(self, box: Box, voxels: NDArray[np.bool_], *, by_user: bool = True) -> Change:
        """Take what another tool made of the mask in box (z, y, x); what it changed counts as marked by the user.

        by_user: False if something else changed it, such as the completion of a neighbour: then it is not marked.
        """
        with self._turn:
            part, hard = self._mask[region_of(box)], self._hard[region_of(box)]
            if voxels.shape != part.shape:
                raise InputImageError(f"The edit of {voxels.shape} voxels does not fit its box {box} of the volume.")
            done = Change(box, part.copy(), np.array(voxels, dtype=bool)).cropped()
            hard_before = self._hard[region_of(done.box)].copy()
            hard[part != voxels] = np.where(voxels[part != voxels], 1, -1) if by_user else 0
            part[...] = voxels
            self._remember(done, done.box, hard_before, None)
        return done

    def undo(self) -> Change | None:
        """Take the newest action back and return what that changed; None if there is none."""
        with self._turn:
            step = self._history.back()
            if step is None:
                return None
            if step.stroke is not None:
                self._strokes.pop()
            return self._write(step.box, step.before, step.hard_box, step.hard_before)

    def redo(self) -> Change | None:
        """Repeat the action that was undone last and return what that changed; None if there is none."""
        with self._turn:
            step = self._history.forward()
            if step is None:
                return None
            if step.stroke is not None:
                self._strokes.append(step.stroke)
            return self._write(step.box, step.after, step.hard_box, step.hard_after)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the user marked, and the strokes, as small arrays by name; the mask is not among them."""
        with self._turn:
            return saved_state.to_arrays(self._hard, self._strokes, self.new_object)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take the marks and strokes of a state and forget the history; the mask keeps its voxels.

        Raises InputImageError for the state of another volume.
        """
        with self._turn:
            self._hard, self._strokes, self.new_object = saved_state.from_arrays(state, self.grid.shape)
            self._history = History()

    def _still_marked(self) -> Iterator[Stroke]:
        """The strokes without what later actions have changed: it prompts the network no more."""
        for stroke in self._strokes:
            left = stroke.voxels & (self._hard[region_of(stroke.box)] == (1 if stroke.include else -1))
            if left.any():
                yield replace(stroke, voxels=left)

    def _remember(self, change: Change, hard_box: Box, hard_before: NDArray[np.int8], stroke: Stroke | None) -> None:
        hard_after = self._hard[region_of(hard_box)]
        self._history.add(
            Step(
                change.box,
                Bits.of(change.before),
                Bits.of(change.after),
                hard_box,
                Hard.of(hard_before),
                Hard.of(hard_after),
                stroke,
            )
        )

    def _write(self, box: Box, mask: Bits, hard_box: Box, hard: Hard) -> Change:
        part = self._mask[region_of(box)]
        change = Change(box, part.copy(), mask.mask.copy())
        part[...] = change.after
        self._hard[region_of(hard_box)] = hard.array
        return change


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
