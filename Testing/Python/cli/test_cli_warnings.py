"""The same warnings from Python, the command, its JSON, folders and nnU-Net datasets; --strict makes errors of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import SimpleITK as sitk
from model_factory import make_model
from scan_phantoms import HEAD, LEG, TRUNK, ct_body, dicom_scan
from volumes_on_disk import plain_volume

from LightMedSegLib import segment
from LightMedSegLib.cli import main
from LightMedSegLib.io.sample_data import sample_path
from LightMedSegLib.io.volume_files import read_volume
from LightMedSegLib.model.store import ModelStore

PET = "The volume looks like PT, but the model was trained on MR."
LEG_CODE = "The volume was recorded as LEG, but the model is for the region Head."
CT = "The volume looks like CT, but the model was trained on MR."


def pet_of_a_leg(folder: Path) -> tuple[Path, list[str]]:
    return dicom_scan(folder / "pet", "PT", "LEG"), [PET, LEG_CODE]


def mr_of_a_leg(folder: Path) -> tuple[Path, list[str]]:
    return dicom_scan(folder / "mr", "MR", "LEG"), [LEG_CODE]


def ct_of_a_head(folder: Path) -> tuple[Path, list[str]]:
    folder.mkdir(exist_ok=True)
    small = sitk.Shrink(ct_body(HEAD[:3]), (4, 4, 1))
    small.SetSpacing((1.0, 1.0, 1.0))
    sitk.WriteImage(small, str(folder / "ct.nii.gz"))
    return folder / "ct.nii.gz", [CT]


def mr(folder: Path) -> tuple[Path, list[str]]:
    folder.mkdir(exist_ok=True)
    sitk.WriteImage(plain_volume(), str(folder / "good.nii.gz"))
    return folder / "good.nii.gz", []


KINDS = [pet_of_a_leg, mr_of_a_leg, ct_of_a_head, mr]
Maker = Callable[[Path], tuple[Path, list[str]]]


def about_the_kind(sentences: list[str]) -> list[str]:
    """Without remarks on voxel sizes, which differ between these scans, and on the distance that ITK writes."""
    return [sentence for sentence in sentences if not any(word in sentence for word in ("mm long", "SpacingBetween"))]


@pytest.mark.parametrize("make", KINDS)
def test_every_way_in_says_the_same(
    make: Maker, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan, expected = make(tmp_path / "imagesTs")
    told = segment(read_volume(scan), installed, device="cpu")
    assert about_the_kind(told.notes) == about_the_kind(told.warnings) == expected
    report = tmp_path / "report.json"
    assert main(["segment", str(scan), str(tmp_path / "out.nrrd"), "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    assert all(f"Warning: {sentence}" in printed for sentence in told.warnings)
    written = json.loads(report.read_text())
    assert written["warnings"] == told.warnings
    assert written["notes"] == told.notes
    for folder in (tmp_path / "imagesTs", tmp_path):  # scans in a folder; an nnU-Net dataset
        if make is pet_of_a_leg:  # In a folder, a series of another modality is left out.
            assert main(["segment", str(folder), str(tmp_path / "results")]) == 2
            assert "its modality is PT, and the model is for MR" in capsys.readouterr().err
            continue
        assert main(["segment", str(folder), str(tmp_path / f"results-{folder.name}"), "--json", str(report)]) == 0
        printed = capsys.readouterr().out
        (row,) = json.loads(report.read_text())["scans"]
        assert row["state"] == "segmented" and row["warnings"] == told.warnings and row["notes"] == told.notes
        assert all(f"  Warning: {sentence}" in printed for sentence in told.warnings)
        assert ("1 of them has warnings" in printed) == bool(told.warnings)


@pytest.mark.parametrize("make", KINDS)
def test_strict_makes_an_error_of_a_warning(
    make: Maker, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan, expected = make(tmp_path / "scans")
    output = tmp_path / "out.nrrd"
    wanted = 3 if segment(read_volume(scan), installed, device="cpu").warnings else 0
    assert main(["segment", str(scan), str(output), "--strict"]) == wanted
    printed = capsys.readouterr().err
    assert all(sentence in printed for sentence in expected)
    assert output.exists() == (wanted == 0)


def test_a_strict_folder_run_goes_on_after_a_warning(
    installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for make in KINDS:
        make(tmp_path / "scans")
    report = tmp_path / "report.json"
    words = ["segment", str(tmp_path / "scans"), str(tmp_path / "results"), "--json", str(report), "--strict"]
    assert main(words) == 3
    printed = capsys.readouterr()
    assert "pet: left out: its modality is PT, and the model is for MR" in printed.out
    assert "ct.nii.gz: doubtful: " in printed.out
    assert printed.err == "lightmedseg: 2 of 3 scans got a warning and no result; the lines above say why.\n"
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["good.nii.gz"]
    states = {row["file"]: row["state"] for row in json.loads(report.read_text())["scans"]}
    assert sorted(states.values()) == ["doubtful"] * 2 + ["segmented"]
    (tmp_path / "scans" / "broken.nii.gz").write_bytes(b"no volume")
    assert main([*words, "--overwrite"]) == 2, "what failed counts more"


def test_without_a_model_the_one_that_auto_suggests_is_taken_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert main(["segment", "sample:hippocampus", str(tmp_path / "out.nrrd"), "--json", str(report)]) == 0
    told = json.loads(report.read_text())
    assert told["model"].startswith("hippocampus-t1-mr@") and told["warnings"] == []
    assert told["notes"][0].startswith("No model was named; hippocampus-t1-mr was chosen. An MR volume of only")
    assert told["notes"][0] in capsys.readouterr().out
    assert main(["auto", str(sample_path("hippocampus"))]) == 0
    assert capsys.readouterr().out.startswith("hippocampus-t1-mr\n")


@pytest.mark.parametrize("command", ["auto", "segment"])
def test_what_no_model_is_for_is_refused_without_one(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "hip.nrrd"
    sitk.WriteImage(ct_body(LEG[:8] + TRUNK[:6]), str(path))
    for scan in (path, dicom_scan(tmp_path / "pet", "PT", "LEG")):
        output = tmp_path / "out.nrrd"
        words = [str(scan)] if command == "auto" else [str(scan), str(output)]
        assert main([command, *words]) == (3 if command == "auto" else 2)
        printed = capsys.readouterr()
        assert ("no model" in printed.out) if command == "auto" else ("choose one with --model" in printed.err)
        assert not output.exists()


def test_auto_believes_the_user_about_the_modality(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = dicom_scan(tmp_path / "series", "PT")
    assert main(["auto", str(scan)]) == 3
    assert main(["auto", str(scan), "--modality", "mr"]) == 0
    assert "hippocampus-t1-mr" in capsys.readouterr().out.splitlines()


def test_a_doubtful_result_of_a_strict_run_is_not_written(
    nothing_shipped: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The volume is as expected; what is found in it is not."""
    ranges = [{"value": value, "volume_ml": [0.001, 0.01]} for value in (1, 2)]
    ModelStore().add(make_model(tmp_path / "model", input={"patch": [16, 16, 16]}, ranges=ranges).folder)
    scan, _ = mr(tmp_path / "scans")
    output = tmp_path / "out.seg.nrrd"
    assert main(["segment", str(scan), str(output)]) == 0
    assert "Warning: Structure" in capsys.readouterr().out
    output.unlink()
    assert main(["segment", str(scan), str(output), "--strict"]) == 3
    assert "0.001 to 0.01 ml are plausible" in capsys.readouterr().err
    assert not output.exists()


def test_a_hip_for_the_neck_model_is_told_by_the_scan_itself() -> None:
    notes = segment(ct_body(LEG[:8] + TRUNK[:6]), "headneck-oar-ct", device="cpu").warnings
    assert any("no cross-section here looks like" in note for note in notes)
