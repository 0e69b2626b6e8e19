"""From OpenKBP's own table to a training table and a split by patient."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from prepare_openkbp import ORGANS, contoured, main, read_table, split_by_patient

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.io.datasets import find_cases


def row(case: str, part: str, *present: str) -> dict[str, str]:
    return {"case": case, "openkbp_split": part, **{organ: "12" if organ in present else "" for organ in ORGANS}}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    rows = [
        row("pt_1", "train", "Brainstem", "RightParotid"),
        row("pt_2", "train"),
        row("pt_201", "validation", *ORGANS),
    ]
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
        for entry in rows:
            sitk.WriteImage(
                sitk.GetImageFromArray(np.zeros((2, 2, 2), np.uint8)), f"{folder / part / entry['case']}.nii.gz"
            )
    with (folder / "cases.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def test_an_empty_cell_means_not_contoured_and_zero_voxels_mean_absent(data):
    assert contoured(read_table(data)[0]) == (1, 3)
    assert contoured({**row("a", "train"), "Mandible": "0"}) == (7,)


def test_the_training_reads_the_table_and_skips_cases_without_contours(data, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    table = tmp_path / "elsewhere" / "cases.csv"
    assert main([str(data), str(table)]) == 0
    cases = find_cases(table, "csv", 1)
    assert [(case.name, case.labelled) for case in cases] == [("pt_1", (1, 3)), ("pt_201", (1, 2, 3, 4, 5, 6, 7))]
    assert cases[0].images[0].resolve() == (data / "images" / "pt_1.nii.gz").resolve()


def test_validation_patients_of_the_challenge_are_the_test_part():
    rows = [row(f"pt_{n}", "train" if n < 30 else "validation", "Larynx") for n in range(40)]
    split = split_by_patient(rows, validation=4, seed=1)
    assert [len(split.train), len(split.validation), len(split.test)] == [26, 4, 10]
    assert set(split.test) == {f"pt_{n}" for n in range(30, 40)}
    assert split_by_patient(rows, validation=4, seed=1) == split


def test_a_missing_table_or_column_is_said_so(tmp_path, capsys):
    assert main([str(tmp_path), str(tmp_path / "out.csv")]) == 2
    assert "cases.csv" in capsys.readouterr().err
    (tmp_path / "cases.csv").write_text("case,openkbp_split\na,train\n")
    with pytest.raises(TrainingDataError, match="Brainstem"):
        read_table(tmp_path)
