"""Promptable models: a kind in the card, and no run without a person's marks."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from model_factory import make_card, make_model, random_tensors
from volumes_on_disk import plain_volume

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.export.monai_bundle.export import export_monai_bundle
from LightMedSegLib.inference.engine import Engine
from LightMedSegLib.model.card import PROMPT_CHANNELS, ModelCard
from LightMedSegLib.model.package import Model
from LightMedSegLib.model.store import ModelStore

WEIGHTS = {"file": "weights.safetensors", "sha256": "0" * 64, "bytes": 8}


@pytest.fixture
def promptable(tmp_path: Path) -> Model:
    tensors = random_tensors("lightmedseg-tiny", 1 + PROMPT_CHANNELS, 2, {}, 0)
    return make_model(tmp_path / "strokes", labels=1, tensors=tensors, name="strokes", kind="promptable")


def test_the_network_reads_the_prompts_beside_the_image(promptable: Model) -> None:
    assert promptable.card.promptable
    assert promptable.card.in_channels == promptable.build_network().in_channels == 1 + PROMPT_CHANNELS


def test_the_usual_kind_is_not_written_and_another_is_refused() -> None:
    card = ModelCard.from_json({**make_card(), "kind": "segmentation", "weights": WEIGHTS})
    assert not card.promptable and "kind" not in card.to_json()
    with pytest.raises(ModelPackageError, match="kind"):
        ModelCard.from_json({**make_card(), "kind": "other", "weights": WEIGHTS})


def test_no_model_is_suggested_that_needs_prompts(store: ModelStore, promptable: Model) -> None:
    store.add(promptable.folder)
    assert "strokes@1.0.0" in [entry.identifier for entry in store.list()]
    assert [card.name for card in store.cards_in_use()] == ["brain-mr"]
    assert store.find("strokes").card.promptable


def test_a_run_without_prompts_is_refused_in_words(promptable: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelPackageError, match="strokes completes strokes and cannot segment a volume by itself"):
        Engine(promptable, "cpu")
    with pytest.raises(ModelPackageError, match="cannot be a MONAI bundle"):
        export_monai_bundle(promptable, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_fine_tuning_it_is_refused_in_words(
    promptable: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, image in (("images", plain_volume()), ("labels", sitk.Cast(plain_volume() > 0, sitk.sitkUInt8))):
        (tmp_path / "cases" / part).mkdir(parents=True)
        sitk.WriteImage(image, str(tmp_path / "cases" / part / "a.nii.gz"))
    arguments = ["--cases", str(tmp_path / "cases"), "--out", str(tmp_path / "out")]
    assert main(["finetune", "--model", str(promptable.folder), *arguments]) != 0
    assert "cannot be fine-tuned by itself" in capsys.readouterr().err


def test_the_list_and_the_page_of_models_name_the_kind(
    promptable: Model, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTMEDSEG_HOME", str(tmp_path / "home"))
    assert main(["models", "import", str(promptable.folder)]) == 0
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("strokes" in line and "promptable" in line for line in lines)
    assert any("hippocampus" in line and "segmentation" in line for line in lines)
    assert main(["models", "show", "strokes"]) == 0
    assert "promptable" in capsys.readouterr().out
