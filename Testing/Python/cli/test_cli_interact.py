"""The command that segments by prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from correction_bench import OBLIQUE, ball_mask, ball_volume
from promptable_factory import make_promptable
from stub_completer import StubCompleter

from LightMedSegLib.cli import main
from LightMedSegLib.interaction.completer import Completer
from LightMedSegLib.io.labelmaps.reading import read_labelmap

POINT = {"include": True, "point": [24, 20, 16], "radius_mm": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_promptable(tmp_path_factory.mktemp("promptable") / "interactive").folder


@pytest.fixture
def grows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is replaced by growing of regions."""
    stub = StubCompleter(96, reach=30, tolerance=0.4)
    monkeypatch.setattr(Completer, "probability", lambda self, *seen: stub.probability(*seen))


@pytest.fixture
def words(tmp_path: Path, model: Path) -> list[str]:
    """The arguments of a run that works."""
    sitk.WriteImage(ball_volume((1.0, 1.0, 1.5), OBLIQUE), str(tmp_path / "scan.nrrd"))
    write_prompts(tmp_path, POINT)
    files = {"--prompts": "prompts.json", "--out": "out.seg.nrrd"}
    options = [word for name, file in files.items() for word in (name, str(tmp_path / file))]
    return ["interact", str(tmp_path / "scan.nrrd"), *options, "--model", str(model), "--device", "cpu"]


def write_prompts(folder: Path, *prompts: dict[str, Any]) -> None:
    (folder / "prompts.json").write_text(json.dumps({"coordinates": "IJK", "prompts": prompts}))


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


@pytest.mark.usefixtures("grows")
def test_a_structure_from_a_point_lies_on_the_voxels_of_the_volume(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json", str(tmp_path / "told.json")]) == 0
    volume, found = sitk.ReadImage(str(tmp_path / "scan.nrrd")), read_labelmap(tmp_path / "out.seg.nrrd")
    assert found.image.GetSize() == volume.GetSize() and found.image.GetDirection() == volume.GetDirection()
    assert found.image.GetOrigin() == volume.GetOrigin() and found.image.GetSpacing() == volume.GetSpacing()
    assert found.names == {1: "Object"}
    assert dice(sitk.GetArrayFromImage(found.image) == 1, ball_mask()) > 0.9
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["model"].startswith("interactive@") and len(told["prompts"]) == 1
    assert told["prompts"][0]["changed_voxels"] == (sitk.GetArrayFromImage(found.image) == 1).sum()
    assert "include" in capsys.readouterr().out


def test_the_network_itself_runs(tmp_path: Path, words: list[str]) -> None:
    assert main(words) == 0
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out.seg.nrrd")))
    assert array[16, 20, 24] == 1 and set(np.unique(array)) <= {0, 1}


@pytest.mark.usefixtures("grows")
def test_a_segment_is_corrected_and_keeps_its_name(tmp_path: Path, words: list[str]) -> None:
    labels = ball_mask().astype(np.uint8)
    labels[14:18, 18:22, 30:44] = 1
    labels[2:6, 2:6, 2:6] = 2
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(sitk.ReadImage(str(tmp_path / "scan.nrrd")))
    for number, (value, name) in enumerate(((1, "Ball"), (2, "Block"))):
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        image.SetMetaData(f"Segment{number}_Name", name)
        image.SetMetaData(f"Segment{number}_Layer", "0")
    sitk.WriteImage(image, str(tmp_path / "mask.seg.nrrd"))
    write_prompts(tmp_path, {"include": False, "point": [40, 20, 16]})
    assert main([*words, "--mask", str(tmp_path / "mask.seg.nrrd"), "--segment", "Ball"]) == 0
    found = read_labelmap(tmp_path / "out.seg.nrrd")
    assert found.names == {1: "Ball"}
    assert dice(sitk.GetArrayFromImage(found.image) == 1, ball_mask()) > 0.97


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--segment", "Ball"], "give that with --mask"),
        (["--mask", "MASK"], "has 2 segments to choose from"),
        (["--mask", "MASK", "--segment", "Bone"], "has no segment 'Bone'"),
        (["--mask", "scan.nrrd"], "is no segmentation"),
        (["--device", "abacus"], "unknown"),
        (["--model", "no-such-model"], "no-such-model"),
        (["--out", "scan.nrrd"], "is an input and would be overwritten"),
        (["--out", "out.png"], "no known segmentation format"),
        (["--prompts", "nowhere.json"], "nowhere.json"),
        (["--prompts", "scan.nrrd"], "is not valid"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_exit_code_2(
    tmp_path: Path, words: list[str], options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = sitk.GetImageFromArray(ball_mask().astype(np.uint8))
    labels.CopyInformation(sitk.ReadImage(str(tmp_path / "scan.nrrd")))
    labels[2, 2, 2] = 2
    sitk.WriteImage(labels, str(tmp_path / "MASK.nrrd"))
    paths = {"MASK": "MASK.nrrd", "scan.nrrd": "scan.nrrd", "out.png": "out.png", "nowhere.json": "nowhere.json"}
    assert main([*words, *(str(tmp_path / paths[word]) if word in paths else word for word in options)]) == 2
    told = capsys.readouterr().err
    assert sentence in told and len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out.seg.nrrd").exists()


def test_a_prompt_outside_the_volume_writes_nothing(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_prompts(tmp_path, POINT, {"include": True, "point": [24, 20, 160]})
    assert main(words) == 2
    assert "prompts[1]" in capsys.readouterr().err and not (tmp_path / "out.seg.nrrd").exists()


def test_the_json_file_does_not_replace_the_segmentation(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--json", str(tmp_path / "out.seg.nrrd")]) == 2
    assert "need two different names" in capsys.readouterr().err
    assert not (tmp_path / "out.seg.nrrd").exists()
