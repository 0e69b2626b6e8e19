"""Strokes that wait for their completion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from LightMedSegLib.core.geometry import union_box
from LightMedSegLib.interaction.strokes import Stroke
from LightMedSegLib.mrml.strokes.boxes import placed


class StrokeQueue:
    """The first stroke stays until it is completed: it may have to be computed again when another one is made."""

    def __init__(self) -> None:
        self._strokes: list[Stroke] = []

    def __bool__(self) -> bool:
        return bool(self._strokes)

    def add(self, strokes: Iterable[Stroke]) -> None:
        """Take strokes, the oldest first."""
        self._strokes += strokes

    def clear(self) -> None:
        """Forget all strokes."""
        self._strokes = []

    def drop_first(self) -> None:
        """Forget the first stroke, because it was completed."""
        self._strokes = self._strokes[1:]

    def first(self, still_marked: Callable[[Stroke], Stroke | None]) -> Stroke | None:
        """The stroke to complete next, None if there is none.

        The strokes behind it are added to it as long as they are of its kind. still_marked: returns the part of a
        stroke that no later action has changed.
        """
        left = (still_marked(stroke) for stroke in self._strokes)
        self._strokes = [stroke for stroke in left if stroke is not None]
        while len(self._strokes) > 1 and self._strokes[0].include == self._strokes[1].include:
            one, other, *rest = self._strokes
            box = union_box(one.box, other.box)
            both = placed(one.voxels, one.box, box) | placed(other.voxels, other.box, box)
            self._strokes = [replace(one, box=box, voxels=both), *rest]
        return self._strokes[0] if self._strokes else None
