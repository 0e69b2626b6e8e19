"""A small promptable model with random weights, and segmented scans to make a new model from."""

from __future__ import annotations

from pathlib import Path

import SimpleITK as sitk
from finetuning_factory import slabs
from model_factory import make_labels, make_model, random_tensors

from LightMedSegLib.interaction.encoding import CHANNELS
from LightMedSegLib.model.package import Model

NETWORK = "lightmedseg-tiny"


def make_promptable(folder: Path, name: str = "interactive", seed: int = 0) -> Model:
    """Write the package into folder (which must not exist yet) and load it."""
    label = {**make_labels(1)[0], "name": "Object"}
    tensors = random_tensors(NETWORK, len(CHANNELS), 2, {}, seed)
    return make_model(
        folder, NETWORK, [label], tensors=tensors, name=name, kind="promptable", input={"patch": [96, 96, 96]}
    )


def scans_in_files(folder: Path, count: int) -> Path:
    """A folder with images/ and labels/ of slabs."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number in range(count):
        image, labelmap = slabs(number)
        sitk.WriteImage(image, str(folder / "images" / f"DOE_JANE_{number}.nii.gz"))
        sitk.WriteImage(labelmap, str(folder / "labels" / f"DOE_JANE_{number}.nii.gz"))
    return folder
