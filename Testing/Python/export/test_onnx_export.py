"""The exported network computes what the model's own does, at sizes it was not traced with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_factory import make_model
from paths import REPOSITORY

from LightMedSegLib.core.errors import DependencyError, OutputError
from LightMedSegLib.export.onnx_file import CARD_ENTRY, export_onnx
from LightMedSegLib.model.package import Model, load_model

MODELS = [load_model(card.parent) for card in REPOSITORY.glob("Resources/Models/*/model.json")]


@pytest.fixture(scope="module")
def shipped() -> Model:
    """The model with most labels: all have one network, and its export takes a minute."""
    return max((model for model in MODELS if not model.card.promptable), key=lambda model: model.card.num_classes)


@pytest.fixture(scope="module")
def exported(shipped: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxscript")
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(shipped, path) == 16
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]
    return path


@pytest.mark.slow
@pytest.mark.parametrize("size", [(32, 48, 64), (16, 16, 16), (64, 32, 80)])
def test_onnxruntime_gives_the_logits_and_labels_of_torch(
    shipped: Model, exported: Path, size: tuple[int, int, int]
) -> None:
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(0).standard_normal((1, shipped.card.in_channels, *size), dtype=np.float32)
    with torch.inference_mode():
        expected = shipped.build_network()(torch.from_numpy(image)).numpy()
    (found,) = session(exported).run(None, {"image": image})
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())
    # Where two classes are as good as equal the last bit decides.
    assert np.mean(found.argmax(axis=1) != expected.argmax(axis=1)) < 1e-3


@pytest.mark.slow
def test_the_card_travels_in_the_file(shipped: Model, exported: Path) -> None:
    entries = session(exported).get_modelmeta().custom_metadata_map
    assert json.loads(entries[CARD_ENTRY]) == shipped.card.to_json()


@pytest.fixture
def model(tmp_path: Path) -> Model:
    return make_model(tmp_path / "model")


def test_another_suffix_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"model\.pt is no name for an ONNX file"):
        export_onnx(model, tmp_path / "model.pt")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_named(
    model: Model, no_leftovers: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=f"needs the Python package {package};"):
        export_onnx(model, no_leftovers / "model.onnx")


def session(path: Path) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
