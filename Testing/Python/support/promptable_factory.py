"""A small promptable model with random weights, and segmented scans to make a new model from."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk
from finetuning_factory import slabs
from model_factory import make_model

from LightMedSegLib.model.package import Model

IN_CHANNELS = 5
"""Image, mask, include, exclude, affinity."""


def promptable_model(folder: Path, name: str = "prompts") -> Model:
    """A package whose network reads five channels and marks one object."""
    return make_model(folder, labels=1, channels=IN_CHANNELS, name=name, title="Prompts")


def scans_in_files(folder: Path, count: int) -> Path:
    """A folder with images/ and labels/ of slabs."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, labelmap = slabs(number)
        sitk.WriteImage(image, str(folder / "images" / f"DOE_JANE_{number}.nii.gz"))
        sitk.WriteImage(labelmap, str(folder / "labels" / f"DOE_JANE_{number}.nii.gz"))
    return folder
