"""Label values of an nnU-Net dataset, so that predictions can be compared with its own labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.cases.dataset_description import declared_labels
from LightMedSegLib.io.labelmaps.matching import plain_name


def dataset_values(folder: Path, labels: Sequence[Label]) -> dict[int, int]:
    """Return the value in folder/dataset.json of each model label that it also has (by name).

    Empty without such a file, and if no name matches. Case, blanks and punctuation of names do not count.

    Raises InputImageError for a file that is no dataset description.
    """
    wanted = {plain_name(name): value for name, value in declared_labels(folder).items()}
    return {label.value: wanted[plain_name(label.name)] for label in labels if plain_name(label.name) in wanted}


def with_dataset_values(
    labelmap: sitk.Image, labels: Sequence[Label], values: dict[int, int]
) -> tuple[sitk.Image, tuple[Label, ...]]:
    """Return a UInt8 labelmap and its labels with the dataset's values; labels not in the dataset become background."""
    table = np.zeros(256, dtype=np.uint8)
    for old, new in values.items():
        table[old] = new
    changed = sitk.GetImageFromArray(table[sitk.GetArrayViewFromImage(labelmap)])
    changed.CopyInformation(labelmap)
    kept = (replace(label, value=values[label.value]) for label in labels if label.value in values)
    return changed, tuple(sorted(kept, key=lambda label: label.value))
