"""Label values of an nnU-Net dataset, so that predictions can be compared with its own labels."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label

DATASET_FILE = "dataset.json"


def dataset_values(folder: Path, labels: Sequence[Label]) -> dict[int, int]:
    """For each of a model's labels that folder/dataset.json has too (by name), the value it has there.

    Empty without such a file, and where no name is the same. Case, blanks and punctuation of names do not count.
    nnU-Net writes a label as name and value, the Decathlon as value and name; nnU-Net's regions (a name with several
    values) are no labels.

    Raises InputImageError for a file that is no dataset description.
    """
    path = folder / DATASET_FILE
    if not path.is_file():
        return {}
    wanted = {_plain(name): value for name, value in _read_labels(path).items()}
    return {label.value: wanted[_plain(label.name)] for label in labels if _plain(label.name) in wanted}


def with_dataset_values(
    labelmap: sitk.Image, labels: Sequence[Label], values: dict[int, int]
) -> tuple[sitk.Image, tuple[Label, ...]]:
    """A UInt8 labelmap and its labels with the dataset's values; labels that the dataset lacks become background."""
    table = np.zeros(256, dtype=np.uint8)
    for old, new in values.items():
        table[old] = new
    changed = sitk.GetImageFromArray(table[sitk.GetArrayViewFromImage(labelmap)])
    changed.CopyInformation(labelmap)
    kept = (replace(label, value=values[label.value]) for label in labels if label.value in values)
    return changed, tuple(sorted(kept, key=lambda label: label.value))


def _read_labels(path: Path) -> dict[str, int]:
    try:
        written = json.loads(path.read_text(encoding="utf-8"))["labels"]
        pairs = [(value, name) if name.isdigit() else (name, value) for name, value in written.items()]
        labels = {str(name): int(value) for name, value in pairs if not isinstance(value, list)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputImageError(
            f'{path} cannot be used: it must hold "labels", each a name with a whole number.'
        ) from None
    wrong = [name for name, value in labels.items() if not 0 <= value <= 255]
    if wrong:
        raise InputImageError(f"{path} gives {wrong[0]!r} the value {labels[wrong[0]]}; values go from 0 to 255.")
    return labels


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
