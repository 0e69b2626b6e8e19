"""The command that compares a folder of segmentations with a folder of references."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightMedSegLib import evaluate_folder
from LightMedSegLib.cli import main

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def write(path: Path, blocks: dict[int, slice]) -> None:
    """A labelmap in which each value is a block of these planes."""
    array = np.zeros((12, 8, 8), dtype=np.uint8)
    for value, planes in blocks.items():
        array[planes, 2:6, 2:6] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Folder with: references of four cases, predictions of three of them and of another, and a second method's."""
    for number in range(4):
        blocks = {1: slice(2, 6), **({2: slice(7, 10)} if number else {})}
        write(tmp_path / "labelsTs" / f"case_{number}.nii.gz", blocks)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "Nucleus": 1, "Shell": 2}}))
    for number in range(3):
        write(tmp_path / "predicted" / f"case_{number}.mha", {1: slice(2, 7), 2: slice(7, 10)})
        write(tmp_path / "other" / f"case_{number}.nrrd", {1: slice(2, 6), 2: slice(7, 10)})
    write(tmp_path / "predicted" / "more" / "case_9.mha", {1: slice(2, 6)})
    return tmp_path


def test_cases_are_matched_by_name_and_means_have_intervals(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(folders / "predicted"), str(folders / "labelsTs")]
    assert main([*words, "--json", str(folders / "f.json"), "--csv", str(folders / "f.csv")]) == 0
    told = json.loads((folders / "f.json").read_text())
    assert [case["case"] for case in told["cases"]] == ["case_0", "case_1", "case_2"]
    assert told["without_reference"] == ["more/case_9"] and told["without_prediction"] == ["case_3"]
    nucleus, shell = told["labels"]
    assert (nucleus["label"], nucleus["cases"], nucleus["missed"]) == ("Nucleus", 3, 0)
    assert nucleus["dice"] == {"mean": pytest.approx(8 / 9), "low": pytest.approx(8 / 9), "high": pytest.approx(8 / 9)}
    assert (shell["missed"], shell["dice"]["mean"]) == (1, pytest.approx(2 / 3))
    assert shell["hd95_mm"]["mean"] == 0.0, "of the two cases that have it"
    printed = capsys.readouterr().out
    assert "case_1: Dice 0.9444" in printed
    assert "without a reference: more/case_9." in printed and "without a prediction: case_3." in printed
    with (folders / "f.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case"], row["label"]) for row in rows[:2]] == [("case_0", "Nucleus"), ("case_0", "Shell")]
    assert [row["dice"] for row in rows if row["case"] == "mean"] == ["0.88889", "0.66667", "0.77778"]
    assert {row["case"] for row in rows[-6:]} == {"95 % low", "95 % high"}


def test_labels_can_be_chosen_and_those_not_marked_in_a_reference_left_out(folders: Path) -> None:
    words = ["evaluate", str(folders / "predicted"), str(folders / "labelsTs"), "--json", str(folders / "f.json")]
    assert main([*words, "--marked-only", "--labels", "shell"]) == 0
    told = json.loads((folders / "f.json").read_text())
    assert [(row["label"], row["cases"], row["dice"]["mean"]) for row in told["labels"]] == [("Shell", 2, 1.0)]
    assert told["mean"]["cases"] == 2


def test_a_label_that_no_case_has_is_refused(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folders / "predicted"), str(folders / "labelsTs"), "--labels", "3"]) == 2
    assert "No segmentation has the label '3'; there are: Nucleus, Shell." in capsys.readouterr().err


def test_two_methods_are_compared_in_pairs(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(folders / "predicted"), str(folders / "labelsTs"), "--against", str(folders / "other")]
    assert main([*words, "--json", str(folders / "f.json")]) == 0
    nucleus, _, mean = json.loads((folders / "f.json").read_text())["against"]["differences"]
    assert nucleus["dice"]["mean"] == pytest.approx(8 / 9 - 1)
    assert nucleus["dice"]["p_value"] == 0.25 and mean["cases"] == 3
    assert "predicted minus other, case by case:" in capsys.readouterr().out


def test_a_case_that_fails_does_not_stop_the_others(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folders / "predicted" / "case_1.mha").write_bytes(b"nothing")
    words = ["evaluate", str(folders / "predicted"), str(folders / "labelsTs"), "--json", str(folders / "f.json")]
    assert main(words) == 2
    heard = capsys.readouterr()
    assert "case_1: failed: " in heard.out and "case_2: Dice" in heard.out
    assert heard.err == "lightmedseg: 1 case(s) could not be compared; the lines above say why.\n"
    failed = json.loads((folders / "f.json").read_text())["cases"][1]
    assert failed["failure"] and str(folders) not in failed["failure"]


def test_folders_that_cannot_be_matched_and_mixed_inputs_are_refused(
    folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted, references = folders / "predicted", folders / "labelsTs"
    (folders / "empty").mkdir()
    write(folders / "foreign" / "patient.nii.gz", {1: slice(2, 4)})
    write(folders / "twice" / "case_1.nii.gz", {1: slice(2, 4)})
    write(folders / "twice" / "case_1.mha", {1: slice(2, 4)})
    for one, other, reason in (
        (folders / "empty", references, "holds no segmentation"),
        (folders / "foreign", references, "has the name of a file"),
        (folders / "twice", references, "two files for the case case_1"),
        (predicted, references / "case_0.nii.gz", "Some arguments are files and some are folders"),
        (predicted, folders / "nowhere", "nowhere does not exist; give two segmentations, or two folders"),
    ):
        assert main(["evaluate", str(one), str(other)]) == 2
        assert reason in capsys.readouterr().err
    kept = (predicted / "case_0.mha").read_bytes()
    assert main(["evaluate", str(predicted), str(references), "--json", str(predicted / "case_0.mha")]) == 2
    assert (predicted / "case_0.mha").read_bytes() == kept
    one_name = str(folders / "scores")
    assert main(["evaluate", str(predicted), str(references), "--json", one_name, "--csv", one_name]) == 2
    assert "Two outputs are named scores" in capsys.readouterr().err


def test_a_script_gets_the_same_figures(folders: Path) -> None:
    found = evaluate_folder(folders / "predicted", folders / "labelsTs", marked_only=True)
    assert [row.label for row in found.summary()] == ["Nucleus", "Shell", "Mean"]
    assert len(found.scores) == 5 and found.only_in_reference == ("case_3",)
