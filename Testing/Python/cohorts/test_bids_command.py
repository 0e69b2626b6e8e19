"""``lightmedseg bids``: both levels, what the derivative holds, and that validators of BIDS accept it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from bids_datasets import bids_dataset, broken_bids_rules, tsv_rows

from LightMedSegLib.cli import main

pytestmark = pytest.mark.usefixtures("nothing_shipped")

T1 = "sub-01/ses-A/anat/sub-01_ses-A_T1w.nii.gz"
SCANS = (T1, "sub-01/ses-B/anat/sub-01_ses-B_run-1_T1w.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz")
RESULT = "sub-01/ses-A/anat/sub-01_ses-A_desc-lightmedseg_dseg"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three scans of two participants, and one of a contrast that is not preferred."""
    return bids_dataset(tmp_path / "data", *SCANS, "sub-02/anat/sub-02_T2w.nii.gz", License="CC0")


@pytest.fixture
def derivative(dataset: Path, installed: str) -> Path:
    """The results of both levels within the dataset."""
    output = dataset / "derivatives" / "lightmedseg"
    for words in (["participant", "--model", installed, "--threads", "1"], ["group"]):
        assert main(["bids", str(dataset), str(output), *words]) == 0
    return output


def test_the_results_are_a_derivative(derivative: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert broken_bids_rules(derivative) == []
    printed = capsys.readouterr().out
    assert f"{RESULT}.nii.gz: segmented" in printed
    assert "sub-02/anat/sub-02_T2w.nii.gz: left out: its result would be called like that of sub-02_T1w" in printed
    described = json.loads((derivative / "dataset_description.json").read_text())
    assert described["DatasetLinks"] == {"raw": "../.."} and described["License"] == "CC0"
    sidecar = json.loads((derivative / f"{RESULT}.json").read_text())
    assert sidecar["Sources"] == [f"bids:raw:{T1}"]


def test_the_tables_have_the_volumes_of_the_segmentation(derivative: Path) -> None:
    image = sitk.ReadImage(str(derivative / f"{RESULT}.nii.gz"))
    counts = [int((sitk.GetArrayViewFromImage(image) == value).sum()) for value in (1, 2)]
    rows = tsv_rows(derivative / f"{RESULT}.tsv")
    assert [int(row["voxels"]) for row in rows] == counts and any(counts)
    assert [float(row["volume_ml"]) for row in rows] == pytest.approx([count / 1000 for count in counts])
    labels = tsv_rows(derivative / "desc-lightmedseg_dseg.tsv")
    assert [list(row.values()) for row in labels] == [list(row.values())[:3] for row in rows]
    group = tsv_rows(derivative / "group_volumes.tsv")
    assert [(row["participant_id"], row["session_id"]) for row in group] == [
        ("sub-01", "ses-A"), ("sub-01", "ses-B"), ("sub-02", "n/a"),
    ]  # fmt: skip
    assert group[0]["segmentation"] == f"{RESULT}.nii.gz" and group[0]["structure_1"] == rows[0]["volume_ml"]
    assert json.loads((derivative / "group_volumes.json").read_text())["structure_1"]["Units"] == "mL"


def test_results_outside_of_the_dataset_name_no_folder(dataset: Path, installed: str, tmp_path: Path) -> None:
    output = tmp_path / "results of mine"
    assert main(["bids", str(dataset), str(output), "participant", "--participant_label", "sub-02"]) == 0
    assert broken_bids_rules(output) == []
    assert sorted(path.name for path in output.glob("sub-*")) == ["sub-02"]
    written = "".join(path.read_text() for path in output.rglob("*") if path.suffix in (".json", ".tsv", ""))
    assert str(tmp_path) not in written and "results of mine" not in written and "../" not in written


def test_a_result_without_its_table_is_made_again_and_others_stay(
    derivative: Path, dataset: Path, installed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = derivative / f"{RESULT}.tsv"
    before = table.read_text()
    table.unlink()
    capsys.readouterr()
    assert (
        main(["bids", str(dataset), str(derivative), "participant", "--participant-label", "01", "--threads", "1"]) == 0
    )
    printed = capsys.readouterr().out
    assert f"{RESULT}.nii.gz: segmented" in printed and "ses-B_run-1_desc-lightmedseg_dseg.nii.gz: exists" in printed
    assert table.read_text() == before


def test_results_go_nowhere_else(
    dataset: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = bids_dataset(tmp_path / "other")
    (tmp_path / "old" / "sub-01").mkdir(parents=True)
    for output, reason in (
        (dataset, "lies among the scans; give"),
        (dataset / "results", "lies among the scans; give"),
        (dataset / "derivatives", "lies among the scans; give"),
        (other, "holds another dataset; choose another folder"),
        (tmp_path / "old", "holds folders of participants that are no results"),
    ):
        assert main(["bids", str(dataset), str(output), "participant"]) == 2
        assert reason in capsys.readouterr().err
    ours = tmp_path / "ours"
    bids_dataset(ours, GeneratedBy=[{"Name": "LightMedSeg", "Description": "Segmentation with the model other@1.0.0"}])
    assert main(["bids", str(dataset), str(ours), "participant"]) == 2
    assert "holds results of other@1.0.0; choose another folder" in capsys.readouterr().err
    assert main(["bids", str(dataset), str(tmp_path / "empty"), "group"]) == 2
    assert "run the participant level first" in capsys.readouterr().err
    assert main(["bids", str(tmp_path / "old"), str(tmp_path / "new"), "participant"]) == 2
    assert "is no BIDS dataset" in capsys.readouterr().err


def validator() -> list[str]:
    """The BIDS validator, of the package bids-validator-deno or of npm's bids-validator; empty without one."""
    beside = Path(sys.executable).with_name("bids-validator-deno")
    found = str(beside) if beside.exists() else shutil.which("bids-validator-deno") or shutil.which("bids-validator")
    return [found] if found else []


@pytest.mark.skipif(not validator(), reason="needs the command bids-validator-deno: pip install bids-validator-deno")
def test_the_bids_validator_accepts_the_results(derivative: Path) -> None:
    """Version 3.0.2 of bids-validator-deno, BIDS 1.11.1, reports no error."""
    done = subprocess.run([*validator(), "--json", str(derivative)], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue.get("severity") == "error"] == [] and done.returncode == 0
    (derivative / "sub-02" / "anat" / "sub-02_volumes.tsv").write_text("a\n1\n")
    done = subprocess.run([*validator(), "--json", str(derivative)], capture_output=True, text=True, check=False)
    assert "sub-02_volumes.tsv" in done.stdout and done.returncode != 0
