"""``segment FOLDER``: tables of volumes, pictures and regions of interest of many scans."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from volumes_on_disk import plain_volume

from LightMedSegLib.cli import main


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with the scans a and b of one grid."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, name in enumerate("ab"):
        sitk.WriteImage(plain_volume(seed=number), str(folder / f"{name}.nii.gz"))
    return folder


def segment(scans: Path, output: Path, *words: Any) -> int:
    return main(["segment", str(scans), str(output), "--threads", "1", *map(str, words)])


def volumes(table: Path) -> list[tuple[str, str, int]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return [(row["case"], row["label"], int(row["voxels"])) for row in csv.DictReader(stream)]


def labels_of(result: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(result)))


def test_one_table_has_the_volumes_of_all_results_as_they_are_now(scans: Path, installed: str, tmp_path: Path) -> None:
    output, table, report = tmp_path / "out", tmp_path / "volumes.csv", tmp_path / "report.json"
    assert segment(scans, output, "--csv", table, "--json", report) == 0
    told = json.loads(report.read_text())["scans"]
    expected = [(row["file"][0], one["name"], one["voxels"]) for row in told for one in row["segments"]]
    assert volumes(table) == expected and len(expected) == 4
    corrected = sitk.GetImageFromArray(np.where(labels_of(output / "a.nii.gz") == 1, 1, 0).astype(np.int16))
    sitk.WriteImage(corrected, str(output / "a.nii.gz"))
    assert segment(scans, output, "--csv", table) == 0
    assert volumes(table) == [expected[0], ("a", "Structure 2", 0), *expected[2:]]


def test_the_table_names_structures_where_results_have_the_values_of_a_dataset(
    scans: Path, installed: str, tmp_path: Path
) -> None:
    (scans / "dataset.json").write_text('{"labels": {"background": 0, "Structure 2": 1, "Structure 1": 2}}')
    output, table = tmp_path / "out", tmp_path / "volumes.csv"
    assert segment(scans, output, "--csv", table) == 0
    first = volumes(table)
    assert segment(scans, output, "--csv", table) == 0
    assert volumes(table) == first


def test_what_is_no_result_of_the_model_is_named_and_not_in_the_table(
    scans: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, table = tmp_path / "out", tmp_path / "volumes.csv"
    output.mkdir()
    sitk.WriteImage(sitk.GetImageFromArray(np.full((4, 4, 4), 9, np.uint8)), str(output / "a.nii.gz"))
    assert segment(scans, output, "--csv", table, "-q") == 0
    assert {case for case, _, _ in volumes(table)} == {"b"}
    assert "a.nii.gz: not in the table of volumes: a.nii.gz holds the value 9" in capsys.readouterr().err


def test_each_scan_gets_a_picture_and_one_that_cannot_be_written_is_a_warning(
    scans: Path, installed: str, no_leftovers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, pictures, report = (no_leftovers / name for name in ("out", "pictures", "report.json"))
    (pictures / "a.png").mkdir(parents=True)
    assert segment(scans, output, "--montage", pictures, "--json", report) == 0
    assert (pictures / "b.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in output.iterdir()) == ["a.nii.gz", "b.nii.gz"]
    assert "Warning: There is no montage: a.png cannot be written" in capsys.readouterr().out
    assert str(no_leftovers) not in report.read_text()
    assert segment(scans, output, "--montage", no_leftovers / "all.png") == 2
    assert "all.png is a file; --montage needs a folder" in capsys.readouterr().err


def test_a_region_in_voxels_is_for_scans_of_one_grid(
    scans: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sitk.WriteImage(plain_volume((18, 20, 16)), str(scans / "c.nii.gz"))
    flipped = plain_volume()
    flipped.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(flipped, str(scans / "d.nii.gz"))
    moved = plain_volume()
    moved.SetOrigin((5, 6, 7))
    sitk.WriteImage(moved, str(scans / "e.nii.gz"))
    assert segment(scans, tmp_path / "out", "--roi", "2,18,2,16,4,12") == 2
    assert sorted(path.name[0] for path in (tmp_path / "out").iterdir()) == ["a", "b", "e"]
    found = labels_of(tmp_path / "out" / "a.nii.gz")
    assert found.any() and not found[:4].any() and not found[12:].any()
    printed = capsys.readouterr().out
    assert "c.nii.gz: failed: The scan has 18 x 20 x 16 voxels of 1 x 1 x 1 mm (LPS)" in printed
    assert "in those of 20 x 18 x 16 voxels of 1 x 1 x 1 mm (LPS); give each scan a region of its own" in printed
    assert "d.nii.gz: failed: The scan has 20 x 18 x 16 voxels of 1 x 1 x 1 mm (RAS)" in printed


def test_a_table_gives_each_scan_its_region(
    scans: Path, installed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    regions = tmp_path / "regions.csv"
    regions.write_text("case,i0,i1,j0,j1,k0,k1\na,2,18,2,16,0,8\n")
    assert segment(scans, tmp_path / "out", "--roi", regions) == 2
    assert "regions.csv has no region for b; give a line to each" in capsys.readouterr().err
    regions.write_text("case;i0;i1;j0;j1;k0;k1\na;2;18;2;16;0;8\nb;2;18;2;16;x;16\n")
    assert segment(scans, tmp_path / "out", "--roi", regions) == 2
    assert "regions.csv cannot be used: line 3 needs whole numbers" in capsys.readouterr().err
    regions.write_text("case;i0;i1;j0;j1;k0;k1\na;2;18;2;16;0;8\nb;2;18;2;16;8;16\n")
    assert segment(scans, tmp_path / "out", "--roi", regions) == 0
    first, second = (labels_of(tmp_path / "out" / f"{name}.nii.gz") for name in "ab")
    assert first.any() and not first[8:].any() and second.any() and not second[:8].any()
    scan = scans / "a.nii.gz"
    assert main(["segment", str(scan), str(tmp_path / "one.nii.gz"), "--roi", str(regions)]) == 2
    assert "--roi FILE.csv is for a folder of scans" in capsys.readouterr().err
