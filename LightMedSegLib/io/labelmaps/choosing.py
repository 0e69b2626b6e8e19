"""Choosing some of a model's labels, by name or value."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.labelmaps.matching import plain_name

_MOST_NAMES = 3
_ALIKE = 0.6


def chosen_labels(labels: Sequence[Label], own: Sequence[Label], wanted: Sequence[str]) -> tuple[Label, ...]:
    """Return those of a result's labels that have a wanted name or value; all if nothing is wanted.

    labels: of the result. own: of its model; where the result has them for each side, the model's own name means the
    label of every side. Case, blanks and punctuation of names do not count.
    """
    names = _names(labels, own)
    return tuple(
        label
        for label, called in zip(labels, names, strict=True)
        if not wanted or any(_is_called(word, called) for word in wanted)
    )


def check_known_labels(model: str, labels: Sequence[Label], own: Sequence[Label], wanted: Sequence[str]) -> None:
    """Raise InputImageError, with the nearest names, for a wanted name or value that no result of the model has.

    model: its name for the message. labels and own: as for chosen_labels, of a result with every side.
    """
    known = [*_names(own, own), *_names(labels, own)]
    for word in wanted:
        if not any(_is_called(word, names) for names in known):
            raise InputImageError(f"{model} has no label {word!r}; {_nearest(word, known)}.")


def _names(labels: Sequence[Label], own: Sequence[Label]) -> list[tuple[str, ...]]:
    """For each label its value, its name and, of a label of one side, the model's own name."""
    # The labels of a side follow one another in the model's order.
    return [(str(label.value), label.name, own[place % len(own)].name) for place, label in enumerate(labels)]


def _is_called(word: str, names: Iterable[str]) -> bool:
    return plain_name(word) in map(plain_name, names)


def _nearest(word: str, known: Sequence[Sequence[str]]) -> str:
    names = {plain_name(name): name for _, *called in known for name in called}.values()
    near = sorted((name for name in names if _likeness(word, name) >= _ALIKE), key=lambda name: -_likeness(word, name))
    if near:
        return f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(near[:_MOST_NAMES])}"
    return f"it has {', '.join(names)}"


def _likeness(word: str, name: str) -> float:
    """From 0 to 1: of the whole name, or of one word of it."""
    parts = map(plain_name, (name, *name.split()))
    return max(difflib.SequenceMatcher(None, plain_name(word), part).ratio() for part in parts)
