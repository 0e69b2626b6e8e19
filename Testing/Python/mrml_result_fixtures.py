"""A volume node, labels for it and a model card: what a result in the scene is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from model_factory import make_card
from mrml_fixtures import add_volume, new_scene, slicer

from LightMedSegLib.model.card import ModelCard


@pytest.fixture
def card() -> ModelCard:
    liver = {"scheme": "SCT", "value": "10200004", "meaning": "Liver"}
    changes = make_card(labels=3)["labels"]
    changes[0]["terminology"]["type"] = liver
    return ModelCard.from_json(make_card(labels=changes, weights={"sha256": "ab" * 32}))


@pytest.fixture
def scan(volume: sitk.Image) -> Any:
    return add_volume(new_scene(), volume)


@pytest.fixture
def labels(labelmap: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(labelmap)


def save_and_load(node: Any, path: Path) -> Any:
    """The node as Slicer reads it from the .seg.nrrd file that it wrote."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    loaded = node.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "Loaded")
    assert storage.ReadData(loaded)
    return loaded
