"""Strokes that wait for their completion."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from LightMedSegLib.interaction.strokes import Stroke


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

        still_marked: returns the part of a stroke that no later action has changed.
        """
        left = (still_marked(stroke) for stroke in self._strokes)
        self._strokes = [stroke for stroke in left if stroke is not None]
        return self._strokes[0] if self._strokes else None

    def is_outdated_by(self, strokes: Iterable[Stroke]) -> bool:
        """Whether the first stroke has to be computed again after others: not if they only mark more of its kind."""
        return any(stroke.include != self._strokes[0].include for stroke in strokes) if self._strokes else False
