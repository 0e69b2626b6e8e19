"""``lightmedseg segment --uncertainty`` and ``--expected-dice``: files, tables and reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import SimpleITK as sitk
from model_factory import make_model

from LightMedSegLib.cli import main
from LightMedSegLib.cohorts.report import FAILED, SEGMENTED, ScanReport, by_expected_dice
from LightMedSegLib.evaluation.metrics import check_same_grid
from LightMedSegLib.model import store

pytestmark = pytest.mark.usefixtures("nothing_shipped")
CALIBRATION = {"intercept": 0.0, "slope": 0.9, "mean_absolute_error": 0.031, "cases": 12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose card has the calibration of the expected Dice."""
    changes = {"input": {"patch": [16, 16, 16]}, "expected_dice": CALIBRATION}
    return make_model(tmp_path_factory.mktemp("calibrated") / "model", **changes).folder


@pytest.fixture
def calibrated(folder: Path) -> str:
    return store.ModelStore().add(folder).card.name


def test_the_doubt_is_a_volume_on_the_grid_of_the_scan_and_the_tables_have_the_expected_dice(
    calibrated: str, scan: Path, no_leftovers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, doubt, report = (no_leftovers / name for name in ("result.nii.gz", "doubt.nii.gz", "report.json"))
    extra = ["--uncertainty", str(doubt), "--json", str(report), "--threads", "1"]
    assert main(["segment", str(scan), str(output), "--model", calibrated, *extra]) == 0
    volume, image = sitk.ReadImage(str(doubt)), sitk.ReadImage(str(scan))
    assert volume.GetPixelID() == sitk.sitkUInt8
    check_same_grid(volume, image)
    assert sitk.GetArrayViewFromImage(volume).max() > 200
    told = json.loads(report.read_text())
    values = [one["expected_dice"] for one in told["segments"]]
    assert told["expected_dice"] == pytest.approx(sum(values) / len(values))
    assert told["expected_dice_error"] == 0.031
    printed = capsys.readouterr().out
    assert "Expected Dice" in printed and f"{told['expected_dice']:.2f}" in printed


def test_without_being_asked_nothing_is_expected(calibrated: str, scan: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert main(["segment", str(scan), str(tmp_path / "result.nrrd"), "--json", str(report), "--threads", "1"]) == 0
    assert "expected_dice" not in report.read_text()


def test_a_model_without_calibration_says_so(
    installed: str, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path / "result.nrrd")
    assert main(["segment", str(scan), output, "--model", installed, "--expected-dice", "--threads", "1"]) == 0
    assert "its card lacks the calibration" in capsys.readouterr().out


def test_the_scans_of_a_folder_are_told_by_their_expected_dice_the_lowest_first(
    calibrated: str, scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scans, report = tmp_path / "scans", tmp_path / "report.json"
    scans.mkdir()
    image = sitk.ReadImage(str(scan))
    sitk.WriteImage(image, str(scans / "a.nii.gz"))
    sitk.WriteImage(sitk.DiscreteGaussian(sitk.Cast(image, sitk.sitkFloat32), 4.0), str(scans / "b.nii.gz"))
    shutil.copy(scan, scans / "c.nii.gz")
    arguments = [str(scans), str(tmp_path / "out"), "--model", calibrated, "--expected-dice", "--json", str(report)]
    assert main(["segment", *arguments, "--jobs", "1", "--threads", "1"]) == 0
    told = json.loads(report.read_text())
    values = [row["expected_dice"] for row in told["scans"]]
    assert values == sorted(values) and len(set(values)) == 2
    assert told["expected_dice_error"] == 0.031
    assert "Look first at:" in capsys.readouterr().out


def test_empty_results_come_first_and_scans_without_a_result_last() -> None:
    def report(name: str, state: str, *dice: float | None) -> ScanReport:
        return ScanReport(name, state, segments=[{"expected_dice": one} for one in dice])

    reports = [report("good", SEGMENTED, 0.9), report("none", FAILED), report("bad", SEGMENTED, 0.5, None)]
    ordered = by_expected_dice([*reports, report("empty", SEGMENTED, None, None)])
    assert [one.name for one in ordered] == ["empty", "bad", "good", "none"]
