"""The commands about models, and how the program is installed."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from model_factory import make_model

from LightMedSegLib.cli import main
from LightMedSegLib.model.store import ModelStore

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def test_models_are_imported_listed_verified_exported_and_removed(
    package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    assert "No models are installed" in capsys.readouterr().out
    assert main(["models", "import", str(package)]) == 0
    assert main(["models", "list"]) == 0
    assert re.search(
        r"^test-model +1\.0\.0 +segmentation +MR +2 +user +Test model$", capsys.readouterr().out, re.MULTILINE
    )
    assert main(["models", "verify"]) == 0
    assert "test-model@1.0.0: sound" in capsys.readouterr().out
    assert main(["models", "export", "test-model", str(tmp_path / "model.zip")]) == 0
    assert any(name.endswith("model.json") for name in zipfile.ZipFile(tmp_path / "model.zip").namelist())
    assert main(["models", "remove", "test-model@1.0.0"]) == 0
    assert ModelStore().list() == []
    assert main(["models", "import", str(tmp_path / "model.zip")]) == 0
    assert ModelStore().find("test-model").card.version == "1.0.0"


def test_verify_finds_a_model_with_changed_weights(installed: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = ModelStore().find(installed).folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert main(["models", "verify"]) == 2
    printed = capsys.readouterr()
    assert "SHA-256" in printed.out
    assert "1 of 1 models cannot be used: test-model@1.0.0." in printed.err


def test_show_prints_the_card_and_the_size_of_the_network(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from LightMedSegLib.model.package import load_model
    from LightMedSegLib.network.complexity import count_multiply_adds, count_parameters

    assert main(["models", "show", str(package)]) == 0
    printed = capsys.readouterr().out
    network = load_model(package).build_network()
    assert f"Parameters    {count_parameters(network) / 1e6:.3f} M" in printed
    operations = count_multiply_adds(network, (1, 1, 16, 16, 16)) / 1e9
    assert f"Multiply-adds {operations:.2f} G for a patch of 16 x 16 x 16" in printed
    for text in ("Test model (test-model@1.0.0)", "Structure 2", "Its weights are random.", "CC0-1.0"):
        assert text in printed


def test_show_tells_of_the_preview_and_of_the_largest_volumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"preview_spacing_mm": [3, 3, 2.5], "largest_extent_mm": [60, 75, 65]}
    folder = make_model(tmp_path / "m", input=said).folder
    assert main(["models", "show", str(folder)]) == 0
    printed = capsys.readouterr().out
    assert "Preview       at 3 x 3 x 2.5 mm" in printed
    assert "Made for      volumes of up to 60 x 75 x 65 mm" in printed


def test_show_prints_the_card_itself_as_json(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", str(package), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((package / "model.json").read_text())


def test_export_needs_a_sensible_name(package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(package), str(tmp_path / "model.pth")]) == 2
    assert "let it end in .onnx" in capsys.readouterr().err


def test_export_tells_what_the_file_takes(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The export itself has its own tests."""
    from LightMedSegLib.cli import export

    monkeypatch.setattr(export, "export_onnx", lambda model, path: 16)
    assert main(["export", str(package), str(tmp_path / "model.onnx")]) == 0
    assert "multiples of 16:\n'image' (1, 1, z, y, x) to 'logits' (1, 3, z, y, x)." in capsys.readouterr().out
