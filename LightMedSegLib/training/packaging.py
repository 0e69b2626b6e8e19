"""Packaging: a model package from a training configuration and weights."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.model_input import INPUT_DEFAULTS
from LightMedSegLib.model.package import Model, load_model, save_model
from LightMedSegLib.model.package_folder import CARD_FILE, WEIGHTS_FILE, package_files
from LightMedSegLib.storage.atomic_files import remove_folder, replace_folder, temporary_name
from LightMedSegLib.storage.records import record_json
from LightMedSegLib.training.configuration.writer import configuration_as_toml
from LightMedSegLib.training.networks import TRAINING_ONLY
from LightMedSegLib.training.split import Split

if TYPE_CHECKING:
    import torch

_CODE_DEFAULTS: dict[str, Any] = {"modifier": None, "region": None, "region_modifier": None}


def card_content(
    configuration: TrainingConfiguration, split: Split | None, metrics: Mapping[str, Any], created: str | None = None
) -> dict[str, Any]:
    """Return the model card as JSON types, without the entry of the weights, which packaging adds."""
    full = record_json(configuration)
    text = full["card"]
    # TOML has no null: what it leaves out is null in the card.
    labels = [{**label, "terminology": {**_CODE_DEFAULTS, **label["terminology"]}} for label in full["labels"]]
    parts = {"train": 0, "validation": 0, "test": 0}
    if split is not None:
        parts = {"train": len(split.train), "validation": len(split.validation), "test": len(split.test)}
    kept = ("network", "augmentation", "loss", "optimizer", "averaging", "run")
    recipe = {key: full[key] for key in kept}
    if configuration.synthesis.active:
        recipe["synthesis"] = full["synthesis"]
    if configuration.prompting.active:
        recipe["prompting"] = full["prompting"]
    recipe["distillation"] = {**full["distillation"], "teachers": len(full["distillation"]["teachers"])}
    recipe["network"] = {**full["network"], "initial": bool(full["network"]["initial"])}
    optional = {
        "removed_with_skull": list(configuration.removed_with_skull),
        "mirror_label_swaps": [list(pair) for pair in configuration.augmentation.mirror_label_swaps],
    }
    return {
        "schema_version": 1,
        "parent": None,
        **text,
        **({"kind": "promptable"} if configuration.prompting.active else {}),
        "created": created or datetime.date.today().isoformat(),
        "input": {**INPUT_DEFAULTS, **full["input"]},
        "network": {"name": full["network"]["name"], "arguments": _network_arguments(configuration)},
        "labels": labels,
        "postprocessing": full["postprocessing"],
        "test_time_mirroring": full["test_time_mirroring"],
        "licenses": full["licenses"],
        "training": {
            "data": full["data"]["description"] or text["title"],
            "cases": parts,
            "split_sha256": split.sha256 if split is not None else None,
            "configuration": recipe,
        },
        "metrics": dict(metrics),
        **{item: values for item, values in optional.items() if values},
    }


def _network_arguments(configuration: TrainingConfiguration) -> dict[str, Any]:
    """Every setting in full: a model must not change when a later version names other defaults."""
    from LightMedSegLib.network import configuration_as_dict as settings_of
    from LightMedSegLib.network import network_configuration

    section = configuration.network
    settings = settings_of(network_configuration(section.name, section.arguments))
    del settings["deep_supervision"]
    return settings


def package_model(
    folder: Path,
    configuration: TrainingConfiguration,
    weights: Mapping[str, torch.Tensor],
    split: Split | None = None,
    metrics: Mapping[str, Any] | None = None,
    extra_files: Mapping[str, str | bytes | Path] | None = None,
) -> Model:
    """Write the model package, in place of an older one; weights that only deep supervision uses are left out.

    Raises ModelPackageError when the card would not be valid.
    """
    tensors = {
        name: value.detach().cpu().numpy() for name, value in weights.items() if not name.startswith(TRAINING_ONLY)
    }
    files = {**(extra_files or {}), "training.toml": configuration_as_toml(configuration)}
    return _replace(folder, card_content(configuration, split, metrics or {}), tensors, files)


def record_metrics(folder: Path, part: str, metrics: Mapping[str, Any]) -> Model:
    """Add the metrics of one part of the split, such as "test", to the card of the package in folder."""
    return update_package(folder, metrics={part: dict(metrics)})


def update_package(
    folder: Path,
    weights: Mapping[str, np.ndarray[Any, Any]] | None = None,
    metrics: Mapping[str, Any] | None = None,
    postprocessing: Sequence[Mapping[str, Any]] | None = None,
) -> Model:
    """Give the package in folder other weights, further metrics, or other postprocessing."""
    model = load_model(folder)
    content = model.card.to_json()
    content["metrics"] = {**content["metrics"], **(metrics or {})}
    if postprocessing is not None:
        content["postprocessing"] = [dict(step) for step in postprocessing]
    files = {name: path for name, path in package_files(folder).items() if name not in (CARD_FILE, WEIGHTS_FILE)}
    tensors = model.weights() if weights is None else weights
    return _replace(folder, content, tensors, {name: path.read_bytes() for name, path in files.items()})


def _replace(
    folder: Path,
    card: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray[Any, Any]],
    files: Mapping[str, str | bytes | Path],
) -> Model:
    """Save beside folder first, so that a refused card leaves the old package intact."""
    fresh = folder.with_name(temporary_name())
    try:
        save_model(fresh, card, tensors, files)
        replace_folder(fresh, folder)
    finally:
        remove_folder(fresh)
    return load_model(folder)
