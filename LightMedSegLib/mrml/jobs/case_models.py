"""The model that a case of the scene is made for: an installed one, or a new one that begins with this case."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from LightMedSegLib.core.labels import Label
from LightMedSegLib.model.package import Model, load_model
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.mrml.volumes import VolumeSnapshot

CaseModel = Callable[[VolumeSnapshot, NDArray[Any]], AbstractContextManager[Model]]
"""Called in the worker thread with the scan and its labels (z, y, x); in the with-block the case is made."""


def installed_model(folder: Path) -> CaseModel:
    """Return the model in a folder of the store."""

    @contextmanager
    def model(volume: VolumeSnapshot, labels: NDArray[Any]) -> Iterator[Model]:
        yield load_model(folder)

    return model


def new_model(title: str, labels: Sequence[Label], store: ModelStore) -> CaseModel:
    """Return a new model for labels with the values from 1: a draft, added to the store if the case could be made."""

    @contextmanager
    def model(volume: VolumeSnapshot, marked: NDArray[Any]) -> Iterator[Model]:
        from LightMedSegLib.finetuning.new_model.draft import PROMPTABLE, install_draft, make_draft
        from LightMedSegLib.training.planning.scan_facts import scan_facts

        values = [label.value for label in labels]
        facts = scan_facts(volume.array, volume.grid, marked, values, volume.tags.modality)
        with tempfile.TemporaryDirectory(prefix="lightmedseg-") as temporary:
            draft = make_draft(Path(temporary) / "draft", title, labels, [facts], store.find(PROMPTABLE))
            yield draft
            install_draft(store, draft)

    return model
