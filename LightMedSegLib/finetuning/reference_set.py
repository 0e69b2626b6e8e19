"""The few openly licensed or synthetic cases that a model carries, so that fine-tuning does not make it forget.

``reference.safetensors`` holds, for each case number n from 0: ``n.image`` (uint8, channel z y x), ``n.scale``
(float32: smallest value and step, so that a voxel is smallest + step * stored), ``n.labels`` (uint8, z y x) and
``n.labelled`` (uint8, the label values that were marked).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.errors import ModelPackageError
from LightMedSegLib.model_package import Model
from LightMedSegLib.package_folder import FILE_LIMITS, read_file
from LightMedSegLib.tensor_file import parse_tensors
from LightMedSegLib.training.preparation import PreparedCase

REFERENCE_FILE = "reference.safetensors"


def encode_reference(cases: Sequence[PreparedCase], num_labels: int) -> dict[str, NDArray[Any]]:
    """The arrays of a reference file, 8 bits a voxel."""
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


def read_reference(model: Model) -> list[PreparedCase]:
    """The cases that the model carries, none if its card names none.

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
        return [_decode(arrays, number) for number in range(info.cases)]
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise ModelPackageError(f"{model.card.identifier}: {REFERENCE_FILE} is damaged: {error}.") from None


def rehearsed_and_checked(cases: Sequence[PreparedCase]) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Cases to train on again, and others to look for forgetting on; no case is both."""
    return list(cases[::2]), list(cases[1::2])


def _decode(arrays: dict[str, NDArray[Any]], number: int) -> PreparedCase:
    lowest, step = arrays[f"{number}.scale"].astype(np.float32)
    image = lowest + step * arrays[f"{number}.image"].astype(np.float32)
    labels = np.asarray(arrays[f"{number}.labels"], dtype=np.uint8)
    if image.ndim != 4 or image.shape[1:] != labels.shape:
        raise ValueError(f"case {number} has arrays of different size")
    labelled = tuple(int(value) for value in arrays[f"{number}.labelled"])
    return PreparedCase(f"reference-{number}", image.astype(np.float16), labels, labelled)
