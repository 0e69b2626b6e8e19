"""``lightmedseg auto``: which installed model suits a scan, and why; ``segment`` asks it where no model is named."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.parser import Commands, file_path
from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import ModelStore

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard

NOTHING_SUITS = 3


def add_command(commands: Commands[Any]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "auto",
        help="suggest a model for a scan, with the reason",
        description="Suggest a model for a scan from its modality, field of view and intensities. It is a suggestion: "
        "nothing is segmented. The exit code is 3 where no installed model suits.",
    )
    parser.add_argument("scan", type=file_path, help="folder with one DICOM series, or an image file")
    parser.add_argument("--modality", default="", help="what the scan is (CT, MR), if it is known; else it is guessed")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the suggested model's name and the reason."""
    from dataclasses import replace

    from LightMedSegLib.checks.scan_facts import look_at_image
    from LightMedSegLib.io.scan_tags import tags_of
    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.io.volume_notes import notes_of
    from LightMedSegLib.model.suggestion import suggest

    image = read_volume(arguments.scan)
    tags = tags_of(image)
    if arguments.modality:
        tags = replace(tags, modality=arguments.modality.upper())
    suggestion = suggest(look_at_image(image, tags).appearance, ModelStore().cards_in_use())
    print(suggestion.model.name if suggestion.model is not None else "no model")
    print("\n".join([suggestion.reason, *notes_of(image)]))
    return 0 if suggestion.model is not None else NOTHING_SUITS


def only_model(channels: int) -> Model | None:
    """The model with this number of channels, in the version in use; None if there are several.

    Raises ModelPackageError if there is none.
    """
    names = [card.name for card in _cards(channels)]
    return ModelStore().find(names[0]) if len(names) == 1 else None


def model_for(images: Sequence[sitk.Image]) -> tuple[Model, str]:
    """The model for these volumes, one per channel, as ``lightmedseg auto`` suggests it for the first; and the reason.

    Raises ModelPackageError if none suits.
    """
    from LightMedSegLib.checks.scan_facts import look_at_image
    from LightMedSegLib.model.suggestion import suggest

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
