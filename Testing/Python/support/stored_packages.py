"""A model store with one shipped model, and packages to add to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from model_factory import make_model

from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import ModelStore


def package(folder: Path, name: str = "liver-ct", version: str = "1.0.0", value: float = 0.0, **changes: Any) -> Model:
    """A package in a new folder below folder; value makes its weights differ."""
    tensors = {"w": np.full(50, value, np.float32)}
    target = folder / f"{name}-{version}-{value}-{len(list(folder.iterdir())) if folder.exists() else 0}"
    return make_model(target, "stub", tensors=tensors, name=name, version=version, **changes)


def made_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def identifiers(store: ModelStore) -> list[str]:
    return [entry.identifier for entry in store.list()]
