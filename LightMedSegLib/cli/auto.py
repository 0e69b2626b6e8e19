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
    import SimpleITK as sitk

    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.model.store import ModelStore
    from LightMedSegLib.model.suggestion import appearance_of, suggest

    # Slices from the feet up, whatever way they were stored.
    image = sitk.DICOMOrient(read_volume(arguments.scan), "LPS")
    appearance = appearance_of(sitk.GetArrayViewFromImage(image), image.GetSpacing(), 2, arguments.modality.upper())
    suggestion = suggest(appearance, ModelStore().cards_in_use())
    print(suggestion.model.name if suggestion.model is not None else "no model")
    print(suggestion.reason)
    return 0 if suggestion.model is not None else NOTHING_SUITS
