"""Which scans of a folder are segmented, and what they are called."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from model_factory import make_labels
from volumes_on_disk import dicom_series

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.nnunet_labels import dataset_values, with_dataset_values
from LightMedSegLib.io.scan_folders import find_scans

LABELS = tuple(Label.from_json(label) for label in make_labels(3))


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")
    return folder


def test_the_test_images_of_an_nnunet_dataset_are_its_scans(tmp_path: Path) -> None:
    touch(tmp_path / "imagesTr", "case_0_0000.nii.gz")
    images = touch(tmp_path / "imagesTs", "b_2_0000.nii.gz", "a_1_0000.nii.gz", "dataset.json", ".hidden.nii.gz")
    scans = find_scans(tmp_path, 1).scans
    assert [scan.name for scan in scans] == ["a_1", "b_2"]
    assert scans[0].images == (images / "a_1_0000.nii.gz",)
    assert find_scans(images, 1).scans == scans


def test_the_channels_of_a_case_come_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "p_0001.nrrd", "p_0000.nrrd")
    (scan,) = find_scans(tmp_path, 2).scans
    assert scan.name == "p" and [path.name for path in scan.images] == ["p_0000.nrrd", "p_0001.nrrd"]


def test_plain_files_and_dicom_folders_are_scans_and_other_things_are_not(tmp_path: Path) -> None:
    touch(tmp_path, "one.nii", "two.nii.gz", "Three.MHA", "notes.txt", "readme.md")
    touch(tmp_path / "pictures", "a.png")
    dicom_series(tmp_path / "four")
    assert [scan.name for scan in find_scans(tmp_path, 1).scans] == ["Three", "four", "one", "two"]


@pytest.mark.parametrize(
    ("files", "channels", "reason"),
    [
        ([], 1, "holds no scan; give a folder with volumes"),
        (["a.nii.gz", "a.nrrd"], 1, r"has two volumes for the case a, a\.nii\.gz and a\.nrrd; keep one"),
        (["a_0000.nii.gz"], 2, r"has 1 volume\(s\), but the model reads 2; let their names end in _0000 to _0001"),
        (["a_0000.nii.gz", "a_0001.nii.gz"], 1, "The case a has 2"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path, files: list[str], channels: int, reason: str) -> None:
    with pytest.raises(InputImageError, match=reason):
        find_scans(touch(tmp_path / "scans", *files), channels)


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 9999), min_size=1, max_size=6, unique=True),
    others=st.lists(st.sampled_from(["other", "scan_20210405", "x_01", "2021_0001_a"]), unique=True),
)
def test_a_scan_may_be_numbered_or_dated(numbers: list[int], others: list[str]) -> None:
    """Only endings that count channels from 0 are channels."""
    names = [*(f"amos_{number:04d}" for number in numbers), *others]
    with tempfile.TemporaryDirectory() as folder:
        touch(Path(folder), *(f"{name}.nii.gz" for name in names))
        if 0 not in numbers or max(numbers) >= 8:
            assert [scan.name for scan in find_scans(Path(folder), 1).scans] == sorted(names)
        elif numbers == [0]:
            assert [scan.name for scan in find_scans(Path(folder), 1).scans] == sorted(["amos", *others])
        else:
            with pytest.raises(InputImageError, match=r"The case amos has .* let the names of scans not end in _0000"):
                find_scans(Path(folder), 1)


def test_a_dataset_description_decides_whether_numbers_are_channels(tmp_path: Path) -> None:
    touch(tmp_path / "imagesTs", "amos_0000.nii.gz", "amos_0001.nii.gz")
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "CT"}}))
    assert [scan.name for scan in find_scans(tmp_path, 1).scans] == ["amos_0000", "amos_0001"]
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "T1", "1": "FLAIR"}}))
    with pytest.raises(InputImageError, match="The case amos has 2"):
        find_scans(tmp_path, 1)
    (tmp_path / "imagesTs" / "amos_0000.nii.gz").unlink()
    with pytest.raises(InputImageError, match=r"The case amos has 1 volume\(s\)"):
        find_scans(tmp_path, 1)


def test_one_dicom_series_is_not_taken_for_a_folder_of_scans(tmp_path: Path) -> None:
    with pytest.raises(InputImageError, match=r"holds one DICOM scan: let the output's name end in \.seg\.nrrd"):
        find_scans(dicom_series(tmp_path / "series"), 1)
    with pytest.raises(InputImageError, match="is not a folder"):
        find_scans(tmp_path / "nowhere", 1)
    with pytest.raises(InputImageError, match="is a BIDS dataset; segment it with lightmedseg bids"):
        find_scans(touch(tmp_path / "bids", "dataset_description.json"), 1)


def write_dataset(folder: Path, labels: Any) -> Path:
    (folder / "dataset.json").write_text(json.dumps({"labels": labels}))
    return folder


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "structure_3": 1, "Structure-1": 5, "other": 2, "whole": [1, 2]},
        {"0": "background", "1": "structure_3", "5": "Structure-1", "2": "other"},
    ],
)
def test_labels_take_the_values_that_the_dataset_gives_to_their_names(tmp_path: Path, labels: Any) -> None:
    values = dataset_values(write_dataset(tmp_path, labels), LABELS)
    assert values == {1: 5, 3: 1}
    labelmap = sitk.GetImageFromArray(np.array([[[0, 1, 2, 3]]], dtype=np.uint8))
    labelmap.SetSpacing((2.0, 3.0, 4.0))
    changed, kept = with_dataset_values(labelmap, LABELS, values)
    assert sitk.GetArrayFromImage(changed).tolist() == [[[0, 5, 0, 1]]]
    assert changed.GetSpacing() == (2.0, 3.0, 4.0)
    assert [(label.value, label.name) for label in kept] == [(1, "Structure 3"), (5, "Structure 1")]


def test_without_a_dataset_or_common_names_the_models_values_stay(tmp_path: Path) -> None:
    assert dataset_values(tmp_path, LABELS) == {}
    assert dataset_values(write_dataset(tmp_path, {"background": 0, "tumour": 1}), LABELS) == {}


@pytest.mark.parametrize("labels", [None, "text", ["a"], {"a": None}, {"a": "b"}, {"a": 300}])
def test_a_damaged_dataset_description_is_refused(tmp_path: Path, labels: Any) -> None:
    with pytest.raises(InputImageError, match=r"dataset\.json"):
        dataset_values(write_dataset(tmp_path, labels), LABELS)
