"""Finding cases, splitting them, and bringing them onto the model grid."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk
from training_factory import ball_case, configuration, prepared_cases, write_decathlon_folder

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.io.datasets import find_cases
from LightMedSegLib.learning.prepared_case import prepare_cases, read_prepared, write_prepared
from LightMedSegLib.training.split import Split, draw_split, read_split, write_split


def test_decathlon_and_plain_folders_and_nnunet_names_are_found(tmp_path):
    write_decathlon_folder(tmp_path / "decathlon", 2)
    found = find_cases(tmp_path / "decathlon", "decathlon", 1)
    assert [case.name for case in found] == ["case_00", "case_01"]
    (tmp_path / "decathlon" / "imagesTr").rename(tmp_path / "decathlon" / "images")
    (tmp_path / "decathlon" / "labelsTr").rename(tmp_path / "decathlon" / "labels")
    assert len(find_cases(tmp_path / "decathlon", "decathlon", 1)) == 2
    images = tmp_path / "decathlon" / "images"
    for channel in range(2):
        for name in ("case_00", "case_01"):
            (images / f"{name}_{channel:04d}.nii.gz").touch()
    two = find_cases(tmp_path / "decathlon", "decathlon", 2)
    assert [path.name for path in two[0].images] == ["case_00_0000.nii.gz", "case_00_0001.nii.gz"]


def test_hidden_files_beside_the_volumes_are_no_cases(tmp_path):
    write_decathlon_folder(tmp_path, 2)
    (tmp_path / "labelsTr" / "._case_00.nii.gz").touch()
    assert len(find_cases(tmp_path, "decathlon", 1)) == 2


def test_a_labelmap_without_image_is_refused_by_name(tmp_path):
    write_decathlon_folder(tmp_path, 2)
    (tmp_path / "imagesTr" / "case_01.nii.gz").unlink()
    with pytest.raises(TrainingDataError, match=r"case_01\.nii\.gz"):
        find_cases(tmp_path, "decathlon", 1)


@pytest.mark.parametrize("layout", ["decathlon", "csv"])
def test_missing_data_is_refused(tmp_path, layout):
    with pytest.raises(TrainingDataError, match="does not exist"):
        find_cases(tmp_path / "nothing", layout, 1)


def test_a_folder_without_the_layout_or_without_cases_is_refused(tmp_path):
    with pytest.raises(TrainingDataError, match="imagesTr and labelsTr"):
        find_cases(tmp_path, "decathlon", 1)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(TrainingDataError, match="no labelled case"):
        find_cases(tmp_path, "decathlon", 1)


def test_a_dataset_file_with_other_channels_is_refused(tmp_path):
    write_decathlon_folder(tmp_path, 1)
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": {"0": "T1", "1": "T2"}}))
    with pytest.raises(TrainingDataError, match="declares 2"):
        find_cases(tmp_path, "decathlon", 1)


def test_a_csv_lists_pairs_and_the_labelled_structures(tmp_path):
    write_decathlon_folder(tmp_path, 2)
    rows = [
        "case,image,labelmap,labelled",
        "a,imagesTr/case_00.nii.gz,labelsTr/case_00.nii.gz,1",
        "b,imagesTr/case_01.nii.gz,labelsTr/case_01.nii.gz,",
    ]
    (tmp_path / "cases.csv").write_text("\n".join(rows))
    first, second = find_cases(tmp_path / "cases.csv", "csv", 1)
    assert first.labelled == (1,)
    assert second.labelled is None
    (tmp_path / "cases.csv").write_text("\n".join([*rows, "c,imagesTr/none.nii.gz,labelsTr/case_00.nii.gz,"]))
    with pytest.raises(TrainingDataError, match="Line 4"):
        find_cases(tmp_path / "cases.csv", "csv", 1)
    (tmp_path / "cases.csv").write_text("\n".join([*rows, rows[1]]))
    with pytest.raises(TrainingDataError, match="'a' appears more than once"):
        find_cases(tmp_path / "cases.csv", "csv", 1)
    (tmp_path / "cases.csv").write_text(rows[0] + "\n" + rows[1].replace(",1", ",one"))
    with pytest.raises(TrainingDataError, match="labelled"):
        find_cases(tmp_path / "cases.csv", "csv", 1)


def test_a_split_depends_on_names_and_seed_only_and_its_parts_are_disjoint(tmp_path):
    names = [f"case_{number}" for number in range(30)]
    split = draw_split(names, 4, 6, seed=3)
    assert split == draw_split(reversed(names), 4, 6, seed=3)
    assert split != draw_split(names, 4, 6, seed=4)
    assert sorted(split.train + split.validation + split.test) == sorted(names)
    write_split(tmp_path / "split.json", split)
    assert read_split(tmp_path / "split.json") == split
    assert read_split(tmp_path / "split.json").sha256 == split.sha256


def test_bad_splits_are_refused(tmp_path):
    with pytest.raises(TrainingDataError, match="two parts"):
        Split(("a",), ("a",), ())
    with pytest.raises(TrainingDataError, match="'b'"):
        Split(("a",), (), ("b",)).check_available(["a"])
    with pytest.raises(TrainingDataError, match="too few"):
        draw_split(["a", "b"], 1, 1, seed=0)
    for text in ("{", '{"train": ["a"]}', '{"train": [1], "validation": [], "test": []}'):
        (tmp_path / "split.json").write_text(text)
        with pytest.raises(TrainingDataError, match=r"split\.json"):
            read_split(tmp_path / "split.json")


def test_prepared_cases_come_back_as_they_were_written(tmp_path):
    cases = [*prepared_cases(3), *prepared_cases(1, labelled=(2,))]
    write_prepared(tmp_path, cases, configuration())
    for written, read in zip(cases, read_prepared(tmp_path, configuration()), strict=True):
        assert (read.name, read.labelled) == (written.name, written.labelled)
        np.testing.assert_array_equal(read.image, written.image)
        np.testing.assert_array_equal(read.labels, written.labels)


def test_prepared_cases_for_another_input_or_damaged_ones_are_refused(tmp_path):
    write_prepared(tmp_path, prepared_cases(2), configuration())
    with pytest.raises(TrainingDataError, match="another input description"):
        read_prepared(tmp_path, configuration(input={"spacing_mm": [0.5, 0.5, 0.5]}))
    np.save(tmp_path / "images.npy", np.zeros(10, np.float16))
    with pytest.raises(TrainingDataError, match="damaged"):
        read_prepared(tmp_path, configuration())
    with pytest.raises(TrainingDataError, match="--prepare-only"):
        read_prepared(tmp_path / "nothing", configuration())


def test_preparation_turns_resamples_and_normalises_as_inference_does(tmp_path):
    write_decathlon_folder(tmp_path, 1)
    image = sitk.ReadImage(str(tmp_path / "imagesTr" / "case_00.nii.gz"))
    labels = sitk.ReadImage(str(tmp_path / "labelsTr" / "case_00.nii.gz"))
    for volume, folder in ((image, "imagesTr"), (labels, "labelsTr")):
        sitk.WriteImage(sitk.DICOMOrient(volume, "RAS"), str(tmp_path / folder / "case_00.nii.gz"))
    cases = find_cases(tmp_path, "decathlon", 1)
    (prepared,) = prepare_cases(cases, configuration(), tmp_path / "prepared")
    wanted, truth = ball_case(0)
    np.testing.assert_array_equal(prepared.labels, truth)
    np.testing.assert_allclose(prepared.image[0], (wanted - wanted.mean()) / wanted.std(), atol=5e-3)
    (finer,) = prepare_cases(cases, configuration(input={"spacing_mm": [0.5, 0.5, 0.5]}), tmp_path / "finer")
    assert finer.labels.shape == tuple(2 * size for size in truth.shape)


def test_a_case_without_a_structure_and_one_full_of_it_are_cases(tmp_path):
    write_decathlon_folder(tmp_path, 3)
    first, second = (tmp_path / "labelsTr" / f"case_{number:02d}.nii.gz" for number in (1, 2))
    labels = sitk.ReadImage(str(first))
    sitk.WriteImage(labels * 0, str(first))
    sitk.WriteImage(labels * 0 + 1, str(second))
    cases = find_cases(tmp_path, "decathlon", 1)
    prepared = prepare_cases(cases, configuration(), tmp_path / "prepared")
    assert [np.unique(case.labels).tolist() for case in prepared] == [[0, 1, 2], [0], [1]]
    with pytest.raises(TrainingDataError, match="None of the cases has a voxel of any structure"):
        prepare_cases(cases[1:2], configuration(), tmp_path / "nothing")


def test_labels_are_learnt_by_the_names_of_the_dataset(tmp_path):
    write_decathlon_folder(tmp_path, 2)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "bright ball", "2": "Ball"}}))
    notes = []
    prepared = prepare_cases(
        find_cases(tmp_path, "decathlon", 1), configuration(), tmp_path / "prepared", note=notes.append
    )
    truth = ball_case(0)[1]
    np.testing.assert_array_equal(prepared[0].labels, np.array([0, 2, 1])[truth])
    assert len(notes) == 1 and "1 to 2 (bright ball), 2 to 1 (Ball)" in notes[0]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "Tumour": 1, "Ball": 2}}))
    with pytest.raises(TrainingDataError, match=r"case_00.*'Tumour' with the value 1, but no label"):
        prepare_cases(find_cases(tmp_path, "decathlon", 1), configuration(), tmp_path / "other")


@pytest.mark.parametrize("value", [0, -1, 3])
def test_a_case_that_is_labelled_for_no_label_is_refused(tmp_path, value):
    write_decathlon_folder(tmp_path, 1)
    row = f"a,imagesTr/case_00.nii.gz,labelsTr/case_00.nii.gz,{value}"
    (tmp_path / "cases.csv").write_text(f"case,image,labelmap,labelled\n{row}\n")
    with pytest.raises(TrainingDataError, match=f"labelled for the value {value}"):
        prepare_cases(find_cases(tmp_path / "cases.csv", "csv", 1), configuration(), tmp_path / "prepared")


def test_labelmaps_on_another_grid_or_with_undeclared_values_are_refused(tmp_path):
    write_decathlon_folder(tmp_path, 1)
    path = tmp_path / "labelsTr" / "case_00.nii.gz"
    labels = sitk.ReadImage(str(path))
    moved = sitk.Image(labels)
    moved.SetOrigin((5.0, 0.0, 0.0))
    cases = find_cases(tmp_path, "decathlon", 1)
    sitk.WriteImage(moved, str(path))
    with pytest.raises(TrainingDataError, match="same grid"):
        prepare_cases(cases, configuration(), tmp_path / "prepared")
    sitk.WriteImage(labels * 2, str(path))
    with pytest.raises(TrainingDataError, match="the value 4"):
        prepare_cases(cases, configuration(), tmp_path / "prepared")
