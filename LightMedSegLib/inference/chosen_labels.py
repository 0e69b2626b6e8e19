"""A result with some of the labels of its model, and none of the others."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.result import Segmentation
from LightMedSegLib.io.labelmaps.matching import plain_name
from LightMedSegLib.io.nnunet_labels import with_dataset_values
from LightMedSegLib.model.located_card import located_card

if TYPE_CHECKING:
    from LightMedSegLib.core.labels import Label
    from LightMedSegLib.model.card import ModelCard

_MOST_NAMES = 3
_ALIKE = 0.6


def check_labels(card: ModelCard, wanted: Sequence[str]) -> None:
    """Raise InputImageError, with the nearest names, for a name or value that no result of the model has.

    Case, blanks and punctuation of names do not count.
    """
    known = [names for labels in (card.labels, located_card(card).labels) for names in _names(labels, card).values()]
    for word in wanted:
        if not any(_is_called(word, names) for names in known):
            raise InputImageError(f"{card.identifier} has no label {word!r}; {_nearest(word, known)}.")


def chosen_labels(labels: Sequence[Label], card: ModelCard, wanted: Sequence[str]) -> tuple[Label, ...]:
    """Return those of a result's labels that have a wanted name or value; all if nothing is wanted.

    labels: of a result of the model with this card; where it has them for each side, the card's own name means the
    label of every side.
    """
    names = _names(labels, card)
    return tuple(one for one in labels if not wanted or any(_is_called(word, names[one.value]) for word in wanted))


def with_chosen_labels(result: Segmentation, card: ModelCard, wanted: Sequence[str]) -> Segmentation:
    """Return the result with the chosen labels; voxels of the others are background.

    card: of the model. wanted: names or values, none for all. Raises InputImageError where the result has none of them.
    """
    if not wanted:
        return result
    kept = chosen_labels(result.card.labels, card, wanted)
    if not kept:
        known = ", ".join(label.name for label in result.card.labels)
        raise InputImageError(f"The result has no label {' or '.join(map(repr, wanted))}; it has {known}.")
    labelmap, labels = with_dataset_values(result.labelmap, kept, {label.value: label.value for label in kept})
    return replace(result, labelmap=labelmap, card=replace(result.card, labels=labels))


def _names(labels: Sequence[Label], card: ModelCard) -> Mapping[int, tuple[str, ...]]:
    """By the value of each label: the value, its name and, of a label of one side, the card's own name."""
    own = [label.name for label in card.labels]
    return {label.value: (str(label.value), label.name, own[place % len(own)]) for place, label in enumerate(labels)}


def _is_called(word: str, names: Iterable[str]) -> bool:
    return plain_name(word) in map(plain_name, names)


def _nearest(word: str, known: Sequence[Sequence[str]]) -> str:
    names = {plain_name(name): name for _, *own in known for name in own}
    near = difflib.get_close_matches(plain_name(word), names, _MOST_NAMES, _ALIKE)
    if near:
        return f"the nearest {'is' if len(near) == 1 else 'are'} {', '.join(names[one] for one in near)}"
    return f"it has {', '.join(names.values())}"
