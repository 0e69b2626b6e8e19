"""Every command that reads a scan reports what its header contradicts itself in."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import SimpleITK as sitk
import torch
from finetuning_factory import slabs, tiny_model

from LightMedSegLib.cli import main

pytestmark = pytest.mark.usefixtures("nothing_shipped")

NOTE = "The NIfTI header contradicts itself: "


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def doubtful(path: Path, image: sitk.Image) -> Path:
    """An image in a file whose pixdim is negative, and so contradicts its sform."""
    sitk.WriteImage(image, str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 80, -image.GetSpacing()[0])
    path.write_bytes(content)
    return path


def test_segmenting_prints_the_note_and_writes_it(
    tmp_path: Path, installed: str, volume: sitk.Image, capsys: pytest.CaptureFixture[str]
) -> None:
    path = doubtful(tmp_path / "scan.nii", volume)
    assert main(["segment", str(path), str(tmp_path / "out.nrrd"), "--json", str(tmp_path / "out.json")]) == 0
    shown = capsys.readouterr()
    assert NOTE in shown.out and shown.err == ""
    told = json.loads((tmp_path / "out.json").read_text())["notes"]
    assert [note.startswith(NOTE) for note in told] == [True]
    assert str(tmp_path) not in told[0]


def test_a_folder_s_report_has_the_note_of_each_scan(tmp_path: Path, installed: str, volume: sitk.Image) -> None:
    (tmp_path / "scans").mkdir()
    doubtful(tmp_path / "scans" / "doubtful.nii", volume)
    sitk.WriteImage(volume, str(tmp_path / "scans" / "sound.nii"))
    assert main(["segment", str(tmp_path / "scans"), str(tmp_path / "out"), "--json", str(tmp_path / "out.json")]) == 0
    rows = json.loads((tmp_path / "out.json").read_text())["scans"]
    assert [len(row["notes"]) for row in rows] == [1, 0]
    assert rows[0]["notes"][0].startswith(NOTE)


def test_the_suggestion_of_a_model_comes_with_the_note(
    tmp_path: Path, volume: sitk.Image, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["auto", str(doubtful(tmp_path / "scan.nii", volume))])
    assert NOTE in capsys.readouterr().out


def test_evaluation_says_which_of_the_two_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, labelmap = slabs(0)
    sitk.WriteImage(labelmap, str(tmp_path / "reference.nii"))
    words = [str(doubtful(tmp_path / "prediction.nii", labelmap)), str(tmp_path / "reference.nii")]
    assert main(["evaluate", *words, "--json", str(tmp_path / "out.json")]) == 0
    assert f"Prediction: {NOTE}" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["notes"][0].startswith(f"Prediction: {NOTE}")


def test_fine_tuning_names_the_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part in ("images", "labels"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for number in range(2):
        image, labelmap = slabs(number)
        doubtful(tmp_path / "data" / "images" / f"case_{number}.nii", image)
        sitk.WriteImage(labelmap, str(tmp_path / "data" / "labels" / f"case_{number}.nii"))
    options = {"--model": tiny_model(tmp_path / "package").folder, "--cases": tmp_path / "data"}
    options |= {"--out": tmp_path / "out", "--device": "cpu", "--steps": 2}
    assert main(["finetune", *(str(word) for pair in options.items() for word in pair)]) == 0
    assert f"case_1: {NOTE}" in capsys.readouterr().out
