"""``lightmedseg finetune``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch
from finetuning_factory import scans_in_files, slabs, tiny_model
from model_factory import LOCATED, make_model
from promptable_factory import make_promptable

from LightMedSegLib.cli import main
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.model.package import load_model
from LightMedSegLib.model.store import ModelStore

pytestmark = pytest.mark.usefixtures("nothing_shipped")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command with two cases in a folder."""
    scans_in_files(tmp_path / "data", 2)
    model = tiny_model(tmp_path / "package")
    options = {"--model": model.folder, "--cases": tmp_path / "data", "--out": tmp_path / "out", "--device": "cpu"}
    options |= {"--steps": 4, "--learning-rate": 0.01, "--seed": 1}
    return ["finetune", *(str(word) for pair in options.items() for word in pair)]


def test_a_new_version_is_written_with_its_table_and_nothing_is_installed(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "Dice before" in shown and "held out" in shown and "Structure 2" in shown
    model = load_model(tmp_path / "out" / "candidate")
    assert model.card.identifier == "test-model@1.1.0-tuned.1"
    assert json.loads((tmp_path / "out" / "result.json").read_text())["candidate"] == model.card.identifier
    assert not ModelStore().list()
    for path in (tmp_path / "out").rglob("*"):
        assert not path.is_file() or b"DOE_JANE" not in path.read_bytes(), path.name


def test_an_adopted_version_is_what_the_name_means(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ModelStore().add(words[2])
    words[2] = "test-model"
    assert main([*words, "--adopt"]) == 0
    assert "now means this version" in capsys.readouterr().out
    assert ModelStore().find("test-model").card.version == "1.1.0-tuned.1"


def test_a_list_of_cases_may_say_what_was_reviewed(words: list[str], tmp_path: Path) -> None:
    rows = ["case,image,labelmap,labelled"]
    rows += [f"{n},data/images/DOE_JANE_{n}.nii.gz,data/labels/DOE_JANE_{n}.nii.gz,{n + 1}" for n in range(2)]
    (tmp_path / "cases.csv").write_text("\n".join(rows) + "\n")
    words[4] = str(tmp_path / "cases.csv")
    assert main(words) == 0
    record = next((tmp_path / "out" / "cases").rglob("case.json")).read_text()
    assert json.loads(record)["reviewed"] in ([1], [2])


def test_a_new_structure_becomes_the_next_label(words: list[str], tmp_path: Path) -> None:
    image, labelmap = slabs(3, labels=3)
    sitk.WriteImage(image, str(tmp_path / "data" / "images" / "DOE_JANE_1.nii.gz"))
    sitk.WriteImage(labelmap, str(tmp_path / "data" / "labels" / "DOE_JANE_1.nii.gz"))
    assert main([*words, "--new-label", "Tumour"]) == 0
    labels = load_model(tmp_path / "out" / "candidate").card.labels
    assert (labels[-1].value, labels[-1].name) == (3, "Tumour")


def test_a_case_without_a_structure_is_learnt_from(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data" / "labels" / "DOE_JANE_1.nii.gz"
    empty = sitk.ReadImage(str(path)) * 0
    sitk.WriteImage(empty, str(path))
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "DOE_JANE_1: no voxel of Structure 1, Structure 2; taken as not in the scan." in shown
    assert "is empty, although" not in shown
    records = [json.loads(file.read_text()) for file in (tmp_path / "out" / "cases").rglob("case.json")]
    assert sorted(record["absent"] for record in records) == [[], [1, 2]]
    sitk.WriteImage(empty, str(path.with_name("DOE_JANE_0.nii.gz")))
    words[6] = str(tmp_path / "again")
    assert main(words) == 2
    assert "None of the cases has a voxel of any structure" in capsys.readouterr().err


def test_labels_that_are_no_labelmap_or_contradict_the_model_are_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data" / "labels" / "DOE_JANE_1.nii.gz"
    labelmap = sitk.ReadImage(str(path))
    for image, reason in (
        (sitk.Cast(labelmap, sitk.sitkFloat32) * 0.9999, "values that are not whole numbers"),
        (labelmap * 3, "holds the value 3, which no label has"),
    ):
        sitk.WriteImage(image, str(path))
        assert main(words) == 2
        assert reason in capsys.readouterr().err
    sitk.WriteImage(labelmap, str(path))
    (tmp_path / "data" / "dataset.json").write_text(json.dumps({"labels": {"Liver": 1, "Spleen": 2}}))
    assert main(words) == 2
    assert "has 'Liver' with the value 1, but no label" in capsys.readouterr().err


def test_mistakes_are_one_sentence_and_exit_code_2(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    for changed, reason in (
        (words, "finished run"),
        ([*words[:1], "--model", "nowhere", *words[3:6], str(tmp_path / "a")], "no model 'nowhere'"),
        ([*words[:4], str(tmp_path / "none"), "--out", str(tmp_path / "b")], "does not exist"),
        ([*words[:3], "--out", str(tmp_path / "c")], "no corrected case"),
    ):
        capsys.readouterr()
        assert main(changed) == 2
        assert reason in capsys.readouterr().err
    (tmp_path / "out" / "result.json").unlink()
    assert main([*words, "--install"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_scans_that_are_too_large_for_a_model_of_crops_are_refused_before_any_computing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words[words.index("--model") + 1] = str(make_model(tmp_path / "located", input=LOCATED).folder)
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "DOE_JANE_0 is too large: Test model is fine-tuned on crops of up to 10 x 10 x 10 mm" in told
    assert not (tmp_path / "out" / "cases").exists()


def test_a_version_that_is_not_accepted_says_what_to_do_next(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ModelStore().add(words[2])
    words[2] = "test-model"
    read = FinetuneSettings.from_json
    # No training can gain so much.
    monkeypatch.setattr(FinetuneSettings, "from_json", lambda content: read({**content, "minimum_gain": 1.0}))
    assert main([*words, "--install"]) == 0
    shown = capsys.readouterr().out
    assert "Not accepted.\nWhat to do next:\n- " in shown and "- Add corrected scans: 2 scans are" in shown
    assert "lightmedseg models use test-model@1.1.0-tuned.1 --force" in shown


def test_a_new_model_is_made_of_segmented_scans_alone(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words[2] = str(make_promptable(tmp_path / "promptable", name="prompts").folder)
    new = [*words, "--new-model", "My layers", "--new-label", "Low", "--new-label", "High"]
    assert main([*new, "--install"]) == 0
    shown = capsys.readouterr().out
    assert "It is the first version, so there is no other to compare it with." in shown
    assert "Each of the 2 scans was tested by a training on the others." in shown
    card = load_model(ModelStore().find("my-layers@1.0.0-tuned.1").folder).card
    assert [label.name for label in card.labels] == ["Low", "High"] and card.in_channels == 1
    assert main([*new[:5], "--out", str(tmp_path / "again"), *new[7:], "--install"]) == 2
    assert "There is a model my-layers already" in capsys.readouterr().err


def test_a_new_model_without_names_or_scans_and_a_command_without_a_model_are_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promptable = str(make_promptable(tmp_path / "promptable", name="prompts").folder)
    for changed, reason in (
        ([*words[:2], promptable, *words[3:], "--new-model", "x"], "Name the structures of the new model"),
        (["finetune", "--model", promptable, "--new-model", "x", "--out", words[6]], "needs its segmented scans"),
        ([words[0], *words[3:]], "Choose the model that is fine-tuned (--model), or name a new one (--new-model)."),
        ([words[0], *words[3:], "--new-model", "x", "--new-label", "y"], "There is no model 'interactive'"),
        (
            [*words[:2], promptable, *words[3:], "--new-model", "?", "--new-label", "y"],
            "needs a name with Latin letters",
        ),
    ):
        assert main(changed) == 2
        assert reason in capsys.readouterr().err
