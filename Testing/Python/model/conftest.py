"""A package with known weights; a store with one shipped model, and a folder for packages to add to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from damaged_packages import TENSORS
from model_factory import make_model
from stored_packages import made_folder, package

from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import ModelStore


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return make_model(tmp_path / "package", "stub", tensors=TENSORS)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with brain-mr 1.0.0 shipped and nothing of the user's."""
    shipped = tmp_path / "shipped"
    package(tmp_path / "made", "brain-mr").folder.rename(made_folder(shipped) / "brain-mr")
    return ModelStore(shipped, tmp_path / "user" / "models")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return made_folder(tmp_path / "made")
