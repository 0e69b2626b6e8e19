"""The volumes in a result of an earlier run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.geometry import Grid, clip_box
from LightMedSegLib.core.label_volumes import label_volumes
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.process.native_messages import without_native_messages
from LightMedSegLib.inference.locating import is_located
from LightMedSegLib.io.labelmaps.choosing import chosen_labels
from LightMedSegLib.io.labelmaps.reading import Meaning, read_labelmap
from LightMedSegLib.io.nnunet_labels import dataset_values
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card


def existing_segments(task: ScanTask, card: ModelCard) -> list[dict[str, Any]]:
    """Return value, name, voxels and ml of each label in the result that a task has, as it is on the disk now.

    Values are those in the file. Raises InputImageError for a file that is not a result of the model with this card.
    """
    with without_native_messages():
        grid = Grid.of(read_labelmap(task.path).image)
        box = grid.box if task.options.roi is None else clip_box(task.options.roi, grid)
        labels = (located_card(card) if is_located(card, grid, box) else card).labels
        stored = _as_stored(task, labels)
        found = read_labelmap(task.path, meaning=Meaning(stored))
    kept = {label.name for label in chosen_labels(labels, card.labels, task.labels)}
    return label_volumes(found.image, [label for label in stored if label.name in kept])


def _as_stored(task: ScanTask, labels: Sequence[Label]) -> list[Label]:
    """The labels with the values that they have in files of results."""
    values = dataset_values(task.dataset, labels) if task.dataset is not None else {}
    if not values:
        return list(labels)
    return [replace(label, value=values[label.value]) for label in labels if label.value in values]
