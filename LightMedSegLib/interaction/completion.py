"""From a stroke to what the network and the rules change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import (
    Box,
    Grid,
    Region,
    bounding_box,
    box_of,
    common_box,
    region_of,
    union_box,
    with_neighbours,
)
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.interaction.border import MovedBorder, moved_border
from LightMedSegLib.interaction.prompt_channels import marked, prompt_channels
from LightMedSegLib.interaction.rules import Marks, connected, faces, permitted
from LightMedSegLib.interaction.strokes import Change, Stroke
from LightMedSegLib.interaction.window import View, Window
from LightMedSegLib.interaction.zoom import coarser_window, finer_window, first_window

if TYPE_CHECKING:
    import SimpleITK as sitk

MOST_PASSES = 3
"""Windows until the object is inside; a finer one may follow."""

FINER_FROM = 1.5
"""A window that is this many times coarser than the volume is followed by a finer one around the stroke."""

_SAME_EVERYWHERE = "The volume has the same value all around the stroke, so only the stroke itself was taken."


class Promptable(Protocol):
    """What completes strokes in one window of size^3 grid points: see completer.Completer.

    notes: what the person should know, the newest last.
    """

    size: int
    notes: list[str]

    def warm_up(self, cancel: CancelToken | None = None) -> None:
        """Do what the first window would have to wait for."""

    def probability(self, view: View, cancel: CancelToken | None = None) -> NDArray[np.float32]:
        """Return the probability (z, y, x) that a point of the window belongs to the object."""


@dataclass(frozen=True)
class Scene:
    """What a completion starts from.

    mask, hard, allowed: of the whole volume (z, y, x). strokes: the newest, which is to be completed, last. made:
    whether mask has the newest stroke already.
    """

    volume: sitk.Image
    grid: Grid
    mask: NDArray[np.bool_]
    hard: NDArray[np.int8]
    strokes: Sequence[Stroke]
    new_object: bool
    allowed: NDArray[np.bool_] | None
    made: bool = False

    @property
    def stroke(self) -> Stroke:
        """The stroke to complete."""
        return self.strokes[-1]


@dataclass(frozen=True)
class _Answer:
    """What the network says in a window, beside the share of each point that the mask covered.

    part: where (z, y, x) that changes or makes the object.
    """

    window: Window
    probability: NDArray[np.float32]
    covered: NDArray[np.float32]
    part: Region

    @property
    def box(self) -> Box:
        """The voxels of the volume that the part covers, and one more on each side."""
        return with_neighbours(self.window.box_of(self.part), self.window.volume)


def complete(scene: Scene, completer: Promptable, cancel: CancelToken) -> Change:
    """Return what the newest stroke of a scene changes, in the smallest box.

    A stroke that corrects the border of a segment moves that border. For others, and for new objects, the network is
    asked, in windows around the stroke.
    """
    work = _Completion(scene, completer, cancel)
    nothing_to_remove = scene.new_object and not scene.stroke.include and not scene.mask.any()
    if work.border.suffices or nothing_to_remove:
        return work.merged([])
    answer = work.ask(first_window(scene.stroke, scene.mask, scene.grid, completer.size))
    if answer is None:
        return work.merged([], _SAME_EVERYWHERE)
    while work.passes < MOST_PASSES:
        wider = coarser_window(answer.window, answer.part)
        coarse = work.ask(wider) if wider else None
        if coarse is None:
            break
        answer = coarse
    window = finer_window(answer.window, scene.stroke, FINER_FROM)
    fine = work.ask(window, work.merged([answer], within=window.box)) if window else None
    return work.merged([answer, fine] if fine else [answer])


class _Completion:
    """The passes of one stroke."""

    def __init__(self, scene: Scene, completer: Promptable, cancel: CancelToken):
        import SimpleITK as sitk

        self.passes = 0
        self._scene, self._completer, self._cancel = scene, completer, cancel
        self._volume = sitk.GetArrayViewFromImage(scene.volume)
        nothing = MovedBorder(scene.stroke.box, np.zeros_like(scene.stroke.voxels), suffices=False)
        self.border = (
            nothing
            if scene.new_object
            else moved_border(self._volume, scene.mask, scene.stroke, scene.grid, scene.made)
        )

    def ask(self, window: Window, change: Change | None = None) -> _Answer | None:
        """Let the network see a window with the mask after change; None if the volume has one value there."""
        self._cancel.raise_if_cancelled()
        scene = self._scene
        image = window.image(self._volume)
        if image.max() == image.min():
            return None
        self.passes += 1
        covered = window.mask(lambda region: change.over(scene.mask, region) if change else scene.mask[region])
        present = covered > 0.5
        include, exclude = prompt_channels(scene.strokes, window)
        paints = scene.stroke.include
        drawn = None if scene.new_object else marked(scene.stroke, window)
        seen = View(image, present, include, exclude, window.inside, paints, drawn, len(scene.strokes) == 1)
        probability = self._completer.probability(seen, self._cancel)
        wanted, seeds = probability > 0.5, include > 0
        if drawn is not None:
            wanted, seeds = wanted & ~present if paints else present & ~wanted, drawn
        return _Answer(window, probability, covered, bounding_box(connected(wanted | seeds, seeds)))

    def merged(self, answers: Sequence[_Answer], note: str = "", within: Box | None = None) -> Change:
        """Return what the rules permit of the answers (within a box); later ones hold where they overlap."""
        scene, stroke = self._scene, self._scene.stroke
        box = union_box(stroke.box, self.border.box)
        for answer in answers:
            box = union_box(box, answer.box)
            if scene.new_object:
                box = union_box(box, self._present(answer.window) or box)
        if within is not None:
            box = union_box(stroke.box, common_box(box, within))
        part = region_of(box)
        before = scene.mask[part].copy()
        wanted, seen = before.copy(), np.zeros_like(before)
        for answer in answers:
            inner = common_box(box, answer.window.box)
            here = region_of(inner, box)
            present, found = (
                answer.window.to_volume(values, inner) > 0.5 for values in (answer.covered, answer.probability)
            )
            # Where the network agrees with the mask, the mask keeps what is finer than the window.
            wanted[here] = np.where(found == present, wanted[here], found)
            seen[here] = True
        beside = common_box(box, self.border.box)
        wanted[region_of(beside, box)][self.border.voxels[region_of(beside, self.border.box)]] = stroke.include
        own = np.zeros_like(before)
        own[region_of(stroke.box, box)] = stroke.voxels
        allowed = None if scene.allowed is None else scene.allowed[part]
        if within is not None:
            # What goes on beyond the cut may hang together with painted voxels there.
            seen &= ~faces(seen.shape)
        marks = Marks(own, stroke.include, scene.hard[part], allowed, before & ~seen)
        after = permitted(before, wanted, marks, scene.new_object)
        return Change(box, before, after, passes=self.passes, note=note).cropped()

    def _present(self, window: Window) -> Box | None:
        """The voxels of the mask in the window, and those beside it."""
        box = with_neighbours(window.box, self._scene.grid)
        region = bounding_box(self._scene.mask[region_of(box)])
        return box_of(region, box) if region[0].start < region[0].stop else None
