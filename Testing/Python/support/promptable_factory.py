"""A small promptable model package with random weights."""

from __future__ import annotations

from pathlib import Path

from model_factory import SMALLEST, make_labels, make_model, random_tensors

from LightMedSegLib.interaction.encoding import CHANNELS
from LightMedSegLib.model.package import Model

NETWORK = "lightmedseg-tiny"


def make_promptable(folder: Path, seed: int = 0, name: str = "interactive") -> Model:
    """Write the package into folder (which must not exist yet) and load it."""
    label = {**make_labels(1)[0], "name": "Object"}
    tensors = random_tensors(NETWORK, len(CHANNELS), 2, SMALLEST, seed)
    return make_model(
        folder,
        NETWORK,
        [label],
        arguments=SMALLEST,
        tensors=tensors,
        name=name,
        kind="promptable",
        input={"patch": [96, 96, 96]},
    )
