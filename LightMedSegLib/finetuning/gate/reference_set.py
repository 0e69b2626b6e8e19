"""The reference set: openly licensed or synthetic cases in a model package that guard fine-tuning against forgetting.

``reference.safetensors`` holds, for each case number n from 0, ``n.labels`` (uint8, z y x) and either

- ``n.image`` (uint8, channel z y x), ``n.scale`` (float32: smallest value and step, so that a voxel is smallest + step
  * stored) and ``n.labelled`` (uint8, the label values that were marked), or
- ``n.spacing`` (float32, z y x in mm): then the labels are the indices of a labelmap. Its images are synthesised with
  the model's own recipe, ``training.toml`` in the same folder, and resampled to the model's grid. A whole head takes
  a hundredth of the bytes this way, and every case gives several images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.core.errors import ModelPackageError, TrainingDataError
from LightMedSegLib.finetuning.tuning.training_grid import resized
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.labelmap_indices import ids_in_order
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.package_folder import FILE_LIMITS, RECIPE_FILE, REFERENCE_FILE, read_file
from LightMedSegLib.storage.safetensors_file import parse_tensors
from LightMedSegLib.training.configuration.reader import read_configuration
from LightMedSegLib.training.synthesis.images import synthetic_cases

_MADE = "made-"
_IMAGES_PER_LABELMAP = 2
_MOST_RESIZING, _MOST_VOXELS = 4.0, 50_000_000
_STEP = 16  # sides of an image are multiples of it: what networks with four halvings take


# Only Testing/Tools/make_reference_set.py writes; beside the reader, so that the format is in one file.
def encode_reference(cases: Sequence[PreparedCase], num_labels: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a reference file with 8 bits per voxel."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, case in enumerate(cases):
        image = case.image.astype(np.float32)
        lowest, step = float(image.min()), max(float(np.ptp(image)), 1e-6) / 255
        labelled = case.labelled or tuple(range(1, num_labels + 1))
        arrays[f"{number}.image"] = np.rint((image - lowest) / step).clip(0, 255).astype(np.uint8)
        arrays[f"{number}.scale"] = np.array([lowest, step], dtype=np.float32)
        arrays[f"{number}.labels"] = case.labels
        arrays[f"{number}.labelled"] = np.array(labelled, dtype=np.uint8)
    return arrays


def encode_labelmaps(cases: Sequence[PreparedCase], spacing: tuple[float, float, float]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a reference file of index maps (cases prepared for synthesis); spacing (z, y, x) in mm."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, case in enumerate(cases):
        arrays[f"{number}.labels"] = case.labels
        arrays[f"{number}.spacing"] = np.array(spacing, dtype=np.float32)
    return arrays


def read_reference(model: Model) -> list[PreparedCase]:
    """Return the model's reference cases, none if its card names none; images of one labelmap have the same name.

    Raises ModelPackageError if the file is missing, not the one of the card, or damaged.
    """
    info = model.card.reference
    if info is None:
        return []
    path = model.folder / REFERENCE_FILE
    content = read_file(path, FILE_LIMITS[REFERENCE_FILE], expected=info.bytes)
    if hashlib.sha256(content).hexdigest() != info.sha256:
        raise ModelPackageError(f"{model.card.identifier}: {REFERENCE_FILE} is not the file of the card.")
    arrays = parse_tensors(content, REFERENCE_FILE)
    try:
        if info.cases and "0.spacing" in arrays:
            return _made_of_labelmaps(model, arrays, info.cases)
        return [_decode(arrays, number) for number in range(info.cases)]
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ModelPackageError(f"{model.card.identifier}: {REFERENCE_FILE} is damaged: {error}.") from None


def rehearsed_and_checked(cases: Sequence[PreparedCase]) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Return the cases for rehearsal and those that test for forgetting; no case is in both.

    Synthetic images are only for testing: rehearsing them raised their own Dice, but neither that of real scans nor
    that of other synthetic images (finetune_protocol_shift.py).
    """
    if any(case.name.startswith(_MADE) for case in cases):
        return [], list(cases)
    return list(cases[::2]), list(cases[1::2])


def _made_of_labelmaps(model: Model, arrays: dict[str, NDArray[Any]], count: int) -> list[PreparedCase]:
    """Return the cases in the arrays of a reference file.

    Raises ValueError or KeyError for arrays of a wrong form, ModelPackageError for a recipe that does not fit.
    """
    try:
        recipe = read_configuration(model.folder / RECIPE_FILE)
        if not recipe.synthesis.active or recipe.num_classes > model.card.num_classes:
            raise TrainingDataError(f"{RECIPE_FILE} is not that of this model.")
        return [image for number in range(count) for image in _images(model, recipe, arrays, number)]
    except (TrainingDataError, RuntimeError, ArithmeticError) as error:
        raise ModelPackageError(
            f"{model.card.identifier}: the images of its reference set cannot be made: {error}"
        ) from None


def _images(
    model: Model, recipe: TrainingConfiguration, arrays: dict[str, NDArray[Any]], number: int
) -> list[PreparedCase]:
    labels, spacing = arrays[f"{number}.labels"], arrays[f"{number}.spacing"]
    if labels.ndim != 3 or labels.dtype != np.uint8 or not labels.any() or spacing.shape != (3,):
        raise ValueError(f"case {number} is no labelmap")
    own = spacing / np.array(model.card.input.spacing[::-1], dtype=np.float32)
    # The file decides how much memory is allocated, and it can come from anywhere.
    if not (own > 1 / _MOST_RESIZING).all() or not (own < _MOST_RESIZING).all():
        raise ValueError(f"case {number} has voxels of {spacing.tolist()} mm")
    if labels.size * float(np.prod(own)) > _MOST_VOXELS:
        raise ValueError(f"case {number} is too large")
    if labels.max() >= len(ids_in_order(recipe.synthesis)):
        raise ValueError(f"case {number} holds an index that {RECIPE_FILE} does not name")
    patch = [-(-length // _STEP) * _STEP for length in labels.shape]
    settings = replace(
        recipe,
        input=recipe.input | {"patch": patch, "spacing_mm": spacing[::-1].tolist()},
        synthesis=replace(recipe.synthesis, validation_images=_IMAGES_PER_LABELMAP),
    )
    case = PreparedCase(f"{_MADE}{number}", np.zeros((0, *labels.shape), dtype=np.float16), labels)
    made = synthetic_cases(settings, [case], torch.device("cpu"))
    return [replace(resized(image, own.tolist()), name=case.name) for image in made]


def _decode(arrays: dict[str, NDArray[Any]], number: int) -> PreparedCase:
    lowest, step = arrays[f"{number}.scale"].astype(np.float32)
    image = lowest + step * arrays[f"{number}.image"].astype(np.float32)
    labels = np.asarray(arrays[f"{number}.labels"], dtype=np.uint8)
    if image.ndim != 4 or image.shape[1:] != labels.shape:
        raise ValueError(f"case {number} has arrays of different size")
    labelled = tuple(int(value) for value in arrays[f"{number}.labelled"])
    return PreparedCase(f"reference-{number}", image.astype(np.float16), labels, labelled)
