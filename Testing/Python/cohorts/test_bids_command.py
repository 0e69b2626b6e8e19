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

T1 = "sub-01/ses-A/anat/sub-01_ses-A_T1w.nii.gz"
SCANS = (T1, "sub-01/ses-B/anat/sub-01_ses-B_run-1_T1w.nii.gz", "sub-02/anat/sub-02_T1w.nii.gz")
RESULTS = "derivatives/lightmedseg"
RESULT = "sub-01/ses-A/anat/sub-01_ses-A_desc-lightmedseg_dseg"


@pytest.fixture(scope="module")
def made(package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A dataset with the results of both levels, and the model's folder; not to be changed.

    It has three scans of two participants, and one of a contrast that is not preferred.
    """
    model, folder = str(package), tmp_path_factory.mktemp("bids")
    dataset = bids_dataset(folder / "data", *SCANS, "sub-02/anat/sub-02_T2w.nii.gz", License="CC0")
    for words in (["participant", "--model", model, "--threads", "1"], ["group"]):
        assert main(["bids", str(dataset), str(dataset / RESULTS), *words]) == 0
    return dataset, model


@pytest.fixture
def derivative(made: tuple[Path, str]) -> Path:
    """The results of both levels within the dataset; not to be changed."""
    return made[0] / RESULTS


def test_the_results_are_a_derivative(derivative: Path) -> None:
    assert broken_bids_rules(derivative) == []
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


def test_results_outside_of_the_dataset_name_no_folder(
    made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "results of mine"
    words = ["participant", "--participant_label", "sub-02", "--model", made[1]]
    assert main(["bids", str(made[0]), str(output), *words]) == 0
    printed = capsys.readouterr().out
    assert "sub-02/anat/sub-02_desc-lightmedseg_dseg.nii.gz: segmented" in printed
    assert "sub-02/anat/sub-02_T2w.nii.gz: left out: its result would be named like that of sub-02_T1w" in printed
    assert broken_bids_rules(output) == []
    assert sorted(path.name for path in output.glob("sub-*")) == ["sub-02"]
    texts = [path for path in output.rglob("*") if path.is_file() and not path.name.endswith(".nii.gz")]
    written = "".join(path.read_text(encoding="utf-8") for path in texts)
    assert "sub-02_T1w.nii.gz" in written
    assert not any(place in written for place in (str(tmp_path), str(made[0]), "results of mine", "../"))


def test_a_result_without_its_table_is_made_again_and_others_stay(
    made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = Path(shutil.copytree(made[0] / RESULTS, tmp_path / "out"))
    (output / f"{RESULT}.tsv").unlink()
    words = ["participant", "--participant-label", "01", "--threads", "1", "--model", made[1]]
    assert main(["bids", str(made[0]), str(output), *words]) == 0
    printed = capsys.readouterr().out
    assert f"{RESULT}.nii.gz: segmented" in printed and "ses-B_run-1_desc-lightmedseg_dseg.nii.gz: exists" in printed
    assert (output / f"{RESULT}.tsv").read_text() == (made[0] / RESULTS / f"{RESULT}.tsv").read_text()


def test_what_could_not_be_replaced_is_tried_again(made: tuple[Path, str], tmp_path: Path) -> None:
    """A table never stands beside a result that it was not made of."""
    dataset = Path(shutil.copytree(made[0], tmp_path / "data"))
    scan, output = dataset / SCANS[2], dataset / RESULTS
    table = output / "sub-02" / "anat" / "sub-02_desc-lightmedseg_dseg.tsv"
    whole, before = scan.read_bytes(), table.read_text()
    words = ["bids", str(dataset), str(output), "participant", "--participant-label", "02", "--model", made[1]]
    scan.write_bytes(b"damaged")
    assert main([*words, "--overwrite"]) == 2
    assert not table.exists() and table.with_suffix(".nii.gz").exists()
    scan.write_bytes(whole)
    assert main(words) == 0
    assert table.read_text() == before


def test_results_go_nowhere_else(made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset, model = made
    other = bids_dataset(tmp_path / "other")
    (tmp_path / "old" / "sub-01").mkdir(parents=True)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "README").write_text("mine")
    for output, reason in (
        (dataset, "lies among the scans; give"),
        (dataset / "results", "lies among the scans; give"),
        (dataset / "derivatives", "lies among the scans; give"),
        (other, "holds another dataset; choose another folder"),
        (tmp_path / "old", "holds sub-01, but no dataset_description.json of earlier results; choose"),
        (tmp_path / "own", "holds README, but no dataset_description.json"),
    ):
        assert main(["bids", str(dataset), str(output), "participant", "--model", model]) == 2
        assert reason in capsys.readouterr().err
    assert (tmp_path / "own" / "README").read_text() == "mine"
    ours = tmp_path / "ours"
    bids_dataset(ours, GeneratedBy=[{"Name": "LightMedSeg", "Description": "Segmentation with the model other@1.0.0"}])
    assert main(["bids", str(dataset), str(ours), "participant", "--model", model]) == 2
    assert "holds results of other@1.0.0; choose another folder" in capsys.readouterr().err
    assert main(["bids", str(dataset), str(tmp_path / "empty"), "group"]) == 2
    assert "run the participant level first" in capsys.readouterr().err
    assert main(["bids", str(tmp_path / "old"), str(tmp_path / "new"), "participant"]) == 2
    assert "is not a BIDS dataset" in capsys.readouterr().err


def validator() -> str | None:
    """The command of the package bids-validator-deno; npm's bids-validator 1 knows no derivatives."""
    beside = Path(sys.executable).with_name("bids-validator-deno")
    return str(beside) if beside.exists() else shutil.which("bids-validator-deno")


def errors_of_validator(folder: Path) -> list[str]:
    """The errors that the validator reports, as text."""
    done = subprocess.run([str(validator()), "--json", str(folder)], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [json.dumps(issue) for issue in issues if issue.get("severity") == "error"]
    assert bool(errors) == (done.returncode != 0)
    return errors


@pytest.mark.skipif(not validator(), reason="needs the command bids-validator-deno: pip install bids-validator-deno")
def test_the_bids_validator_accepts_the_results(derivative: Path, tmp_path: Path) -> None:
    """Version 3.0.2 of bids-validator-deno, which knows this version of BIDS, reports no error."""
    assert errors_of_validator(derivative) == []
    wrong = Path(shutil.copytree(derivative, tmp_path / "wrong"))
    (wrong / "sub-02" / "anat" / "sub-02_volumes.tsv").write_text("a\n1\n")
    assert any("sub-02_volumes.tsv" in one for one in errors_of_validator(wrong))
