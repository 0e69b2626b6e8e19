"""Which model ``lightmedseg segment`` takes where none is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.models.package import Model
from LightMedSegLib.models.store import ModelStore

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.models.card import ModelCard


def only_model(channels: int) -> Model | None:
    """The model that takes so many volumes, in the version in use; None if there are several.

    Raises ModelPackageError if there is none.
    """
    names = [card.name for card in _cards(channels)]
    return ModelStore().find(names[0]) if len(names) == 1 else None


def model_for(images: Sequence[sitk.Image]) -> tuple[Model, str]:
    """The model that ``lightmedseg auto`` suggests for the first of as many volumes as it reads, and why, in words.

    Raises ModelPackageError if none suits.
    """
    from LightMedSegLib.checks.scan_facts import look_at_image
    from LightMedSegLib.models.suggestion import suggest

    cards = _cards(len(images))
    suggestion = suggest(look_at_image(images[0]).appearance, cards)
    if suggestion.model is None:
        raise ModelPackageError(f"{suggestion.reason} {_choose_one(cards)}")
    reason = f"No model was named; {suggestion.model.name} was chosen. {suggestion.reason}"
    return ModelStore().find(suggestion.model.name), reason


def model_for_all(channels: int) -> Model:
    """The only model for the scans of a folder, which may be of different kinds; raises ModelPackageError."""
    model = only_model(channels)
    if model is None:
        raise ModelPackageError(f"Several models fit. {_choose_one(_cards(channels))}")
    return model


def _cards(channels: int) -> list[ModelCard]:
    cards = [card for card in ModelStore().cards_in_use() if card.in_channels == channels]
    if not cards:
        raise ModelPackageError(
            f"No installed model takes {channels} volume(s); give --model, or install one: lightmedseg models import."
        )
    return cards


def _choose_one(cards: Sequence[ModelCard]) -> str:
    return f"To decide it yourself, choose one with --model: {', '.join(sorted(card.name for card in cards))}."
