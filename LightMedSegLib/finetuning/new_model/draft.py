"""The package that the training of a new model begins with: its card, and weights from the promptable model.

The promptable model has learnt to delineate any structure that somebody marks. A draft has its weights without the
inputs for mask and prompts, which is the same network as long as nothing is marked, and an output layer without a
preference for any class.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import ModelPackageError, ModelStoreError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.learning.own_models import LONGEST_NAME, model_name
from LightMedSegLib.model.drafts import DRAFT_VERSION
from LightMedSegLib.model.package import Model, save_model
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.training.planning.input_plan import clean_up, modality_of, plan_input
from LightMedSegLib.training.planning.scan_facts import ScanFacts

PROMPTABLE = "interactive"
"""The promptable model that comes with the program."""

Weights = dict[str, NDArray[Any]]

_STEM, _CLASSES = "stem.primary.weight", "head.classify."
_BLOCK = 8
"""Voxels of a 2x2x2 block, which are channels of the first and the last layer."""


def make_draft(
    folder: Path, title: str, labels: Sequence[Label], scans: Sequence[ScanFacts], promptable: Model
) -> Model:
    """Write the draft of a model for these structures and scans like these into a new folder, and load it.

    labels: with the values 1 to their number. promptable: the model whose weights it gets. Raises TrainingDataError
    for an unusable title, ModelPackageError for a model that is not promptable or has another network.
    """
    source = promptable.card
    if not source.promptable:
        raise ModelPackageError(
            f"A new model starts from a promptable model such as {PROMPTABLE}, and {source.identifier} is not one."
        )
    card = {
        "schema_version": 1,
        "name": model_name(title),
        "version": DRAFT_VERSION,
        "parent": None,
        "title": " ".join(title.split())[:LONGEST_NAME],
        "description": f"{', '.join(label.name for label in labels)}: learnt from the user's own scans."[:10_000],
        "modality": modality_of(scans),
        "body_region": "As in the user's scans",
        "created": datetime.date.today().isoformat(),
        "input": plan_input(scans),
        "network": {"name": source.network.name, "arguments": dict(source.network.arguments)},
        "labels": [label.to_json() for label in labels],
        "postprocessing": clean_up(scans, len(labels)),
        "test_time_mirroring": [],
        "licenses": {
            "code": source.licenses["code"],
            "weights": source.licenses["weights"],
            "data": "The user's own scans",
            "data_notice": f"Starts from {source.identifier}. {source.licenses.get('data_notice', '')}".strip(),
        },
        "training": {
            "data": f"None yet; the weights are those of {source.identifier}.",
            "cases": {"train": 0, "validation": 0, "test": 0},
            "split_sha256": None,
            "configuration": None,
        },
        "metrics": {},
        "intended_use": "Scans like those that it was made from, at the same place; a person checks every result.",
        "limits": "Learnt from a few scans and tested only on these, by turns. Other scanners, protocols and diseases "
        "were not tested.",
    }
    return save_model(folder, card, draft_weights(promptable.weights(), source.in_channels, len(labels) + 1))


def draft_weights(weights: Mapping[str, NDArray[Any]], in_channels: int, classes: int) -> Weights:
    """Return the weights of a network of one input channel and so many classes, from those of a promptable one.

    in_channels: of the promptable network, the image first. The output layer is zero, so that fine-tuning fits it.
    Raises ModelPackageError for a network without the layers of LightMedSeg.
    """
    outputs = [name for name in weights if name.startswith(_CLASSES)]
    stem = weights.get(_STEM)
    if stem is None or not outputs or stem.shape[1] != _BLOCK * in_channels:
        raise ModelPackageError("A new model cannot start from this promptable model: its network is another one.")
    result = dict(weights)
    blocks = stem.reshape(stem.shape[0], _BLOCK, in_channels, *stem.shape[2:])
    result[_STEM] = np.ascontiguousarray(blocks[:, :, 0])
    for name in outputs:
        result[name] = np.zeros((_BLOCK * classes, *weights[name].shape[1:]), dtype=weights[name].dtype)
    return result


def install_draft(store: ModelStore, draft: Model) -> Model:
    """Add a draft to the user's models, where its plain name means the draft until a trained version is adopted."""
    model = store.add(draft.folder)
    if store.chosen(model.card.name) is None:
        store.choose(model.card.name, DRAFT_VERSION)
    return model


def refuse_known_name(store: ModelStore, title: str) -> None:
    """Raise ModelStoreError if there is a model of that name; TrainingDataError for an unusable title."""
    name = model_name(title)
    if any(entry.identifier.split("@")[0] == name for entry in store.list()):
        raise ModelStoreError(f"There is a model {name} already; give the new one another name.")
