"""A tiny model with random weights and a store for its cases; one thread, whose sums are the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from finetuning_factory import tiny_model

from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.model.package import Model


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return tiny_model(tmp_path / "model")


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path / "cases")
