"""A model for the engine: a package, or the network of a training run, a peer's too (they have no package)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from LightMedSegLib.learning.configuration import NetworkSection
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.store import resolve_model
from LightMedSegLib.training.configuration.reader import configuration_of
from LightMedSegLib.training.packaging import card_content
from LightMedSegLib.training.run import CONFIGURATION_FILE, load_run_network


@dataclasses.dataclass(frozen=True)
class RunModel:
    """The network of a training run in the place of a package: what the engine asks a model for."""

    card: ModelCard
    folder: Path

    def build_network(self, device: str = "cpu") -> Any:
        """The run's selected weights on device."""
        return load_run_network(self.folder).to(device)


def load(model: str) -> Any:
    """A package by name, folder or zip, or the network of a run's output folder."""
    folder = Path(model)
    path = folder / CONFIGURATION_FILE
    if not path.is_file():
        return resolve_model(model)
    configuration = configuration_of(json.loads(path.read_text(encoding="utf-8")))
    # The card has no words for a peer's network; nothing here reads them.
    named = dataclasses.replace(configuration, network=NetworkSection())
    weights = {"file": "weights.safetensors", "sha256": "0" * 64, "bytes": 8}
    return RunModel(ModelCard.from_json({**card_content(named, None, {}), "weights": weights}), folder)
