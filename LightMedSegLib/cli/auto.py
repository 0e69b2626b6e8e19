"""``lightmedseg auto``: which installed model suits a scan, and why."""

from __future__ import annotations

import argparse
from typing import Any

from LightMedSegLib.cli.parser import Commands, file_path

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
    from LightMedSegLib.models.store import ModelStore
    from LightMedSegLib.models.suggestion import suggest

    image = read_volume(arguments.scan)
    tags = tags_of(image)
    if arguments.modality:
        tags = replace(tags, modality=arguments.modality.upper())
    suggestion = suggest(look_at_image(image, tags).appearance, ModelStore().cards_in_use())
    print(suggestion.model.name if suggestion.model is not None else "no model")
    print(suggestion.reason)
    return 0 if suggestion.model is not None else NOTHING_SUITS
