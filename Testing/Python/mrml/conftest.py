"""What a result in the scene is made of, a worker for jobs, and a result that was corrected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_card
from patience import limit

from LightMedSegLib.model.card import ModelCard

if TYPE_CHECKING:
    from mrml_case_desk import Desk

    from LightMedSegLib.mrml.jobs.worker import Worker


@pytest.fixture
def card() -> ModelCard:
    liver = {"scheme": "SCT", "value": "10200004", "meaning": "Liver"}
    changes = make_card(labels=3)["labels"]
    changes[0]["terminology"]["type"] = liver
    return ModelCard.from_json(make_card(labels=changes, weights={"sha256": "ab" * 32}))


@pytest.fixture
def scan(volume: sitk.Image) -> Any:
    """A volume node that shows volume."""
    from mrml_nodes import add_volume, new_scene

    return add_volume(new_scene(), volume)


@pytest.fixture
def labels(labelmap: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(labelmap)


@pytest.fixture
def worker() -> Iterator[Worker]:
    from LightMedSegLib.mrml.jobs.worker import Worker

    worker = Worker()
    yield worker
    assert worker.close(timeout=limit(5)), "the thread must end"


@pytest.fixture
def desk(tmp_path: Path, worker: Worker) -> Desk:
    from finetuning_factory import slabs, tiny_model
    from mrml_case_desk import Desk
    from mrml_nodes import add_volume, new_scene

    from LightMedSegLib.finetuning.cases.store import CaseStore
    from LightMedSegLib.mrml.segmentations.writing import write_result

    image, truth = slabs()
    volume, model = add_volume(new_scene(), image), tiny_model(tmp_path / "model")
    prediction = sitk.GetArrayFromImage(truth)
    prediction[:, 8:10] = 0
    node = write_result(volume, prediction, model.card)
    return Desk(worker, CaseStore(tmp_path / "cases"), model, volume, node, prediction)
