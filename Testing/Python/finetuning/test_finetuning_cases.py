"""The user's corrected cases: what is kept of a volume, and what is not."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from finetuning_factory import corrected_case, empty_prediction, planes, slabs
from model_factory import LOCATED, make_model

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.cases.building import build_case
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.finetuning.cases.review import reviewed_box
from LightMedSegLib.finetuning.cases.store import RECORD_FILE, TENSOR_FILE, CaseStore
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.learning.prepared_case import IGNORED
from LightMedSegLib.model.package import Model
from LightMedSegLib.storage.atomic_files import temporary_name

IDENTIFIERS = ("DOE^JANE", "MRN-0047-11", "19610203", "St.Elsewhere")


def test_a_case_comes_back_as_it_was_added(model: Model, store: CaseStore) -> None:
    case = corrected_case(model)
    record = store.add(case)
    loaded = store.load(record.case_id)
    np.testing.assert_array_equal(loaded.image, case.image)
    np.testing.assert_array_equal(loaded.labels, case.labels)
    np.testing.assert_array_equal(loaded.reviewed, case.reviewed)
    assert loaded.record == record
    assert record.fits(model.card)
    assert [entry.case_id for entry in store.list()] == [record.case_id]
    assert store.size >= loaded.image.nbytes + loaded.labels.nbytes


def test_what_another_process_writes_and_renames_meanwhile_is_not_counted(
    model: Model, store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = store.add(corrected_case(model))
    size = store.size
    unfinished = store.folder / record.case_id / temporary_name()
    unfinished.mkdir()
    (unfinished / TENSOR_FILE).write_bytes(bytes(1000))
    (unfinished.parent / "renamed").write_bytes(bytes(1000))
    stat = Path.stat

    def renamed_meanwhile(path: Path, **options: bool) -> os.stat_result:
        found = stat(path, **options)
        if path.name == "renamed":
            path.unlink()
            return stat(path, **options)
        return found

    monkeypatch.setattr(Path, "stat", renamed_meanwhile)
    assert [(entry.size, entry.problem) for entry in store.list()] == [(size, None)]


def test_a_case_that_is_deleted_while_the_list_is_made_is_none(
    model: Model, store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id, iterdir = store.add(corrected_case(model)).case_id, Path.iterdir

    def deleted_meanwhile(folder: Path) -> Iterator[Path]:
        if folder.name == case_id:
            folder.rename(folder.with_name(temporary_name()))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", deleted_meanwhile)
    assert store.list() == []


def test_no_identifier_of_the_patient_is_in_any_byte_that_is_written(model: Model, store: CaseStore) -> None:
    image, labelmap = slabs()
    for number, text in enumerate(IDENTIFIERS):
        image.SetMetaData(f"0010|00{number}0", text)
        labelmap.SetMetaData(f"0010|00{number}0", text)
    image.SetOrigin((-4711.25, 815.5, 99.125))
    labelmap.SetOrigin(image.GetOrigin())
    record = store.add(build_case(image, labelmap, model, prediction=empty_prediction(image)))
    written = [path for path in store.folder.rglob("*") if path.is_file()]
    assert len(written) >= 2
    for path in written:
        content = path.read_bytes()
        for text in (*IDENTIFIERS, "4711", str(store.folder)):
            assert text.encode() not in content, f"{text} in {path.name}"
    assert record.case_id not in json.dumps(record.to_json()["input"])


def test_a_correction_of_the_correction_is_a_new_revision_and_the_newest_counts(model: Model, store: CaseStore) -> None:
    first = store.add(corrected_case(model, 0))
    second = store.add(corrected_case(model, 1), replaces=first.case_id)
    assert (second.case_id, second.revision, second.number) == (first.case_id, 2, 1)
    np.testing.assert_array_equal(store.load(first.case_id).image, corrected_case(model, 1).image)
    assert store.add(corrected_case(model, 2)).number == 2
    with pytest.raises(TrainingDataError, match="no case"):
        store.add(corrected_case(model), replaces="0" * 16)


def test_a_deleted_case_leaves_no_byte(model: Model, store: CaseStore) -> None:
    record = store.add(corrected_case(model))
    store.remove(record.case_id)
    assert not store.list()
    assert sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file()) == 0
    for identifier in (record.case_id, "..", "../models"):
        with pytest.raises(TrainingDataError, match="no case"):
            store.remove(identifier)


@pytest.mark.parametrize("file", [RECORD_FILE, TENSOR_FILE])
def test_a_damaged_case_is_named_and_the_others_stay_usable(model: Model, store: CaseStore, file: str) -> None:
    damaged, sound = store.add(corrected_case(model)), store.add(corrected_case(model, 1))
    path = store.folder / damaged.case_id / "0001" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(TrainingDataError, match=damaged.case_id):
        store.load(damaged.case_id)
    assert store.load(sound.case_id).record == sound
    assert len(store.list()) == 2


def test_what_a_crash_left_is_removed_at_the_next_start(model: Model, store: CaseStore) -> None:
    record = store.add(corrected_case(model))
    unfinished = store.folder / ("f" * 16)
    (unfinished / temporary_name()).mkdir(parents=True)
    (store.folder / temporary_name()).mkdir()
    (store.folder / record.case_id / temporary_name()).mkdir()
    assert [entry.case_id for entry in store.list()] == [record.case_id]
    store.clean()
    assert not unfinished.exists()
    assert sorted(path.name for path in store.folder.iterdir()) == [".lock", record.case_id]
    assert [path.name for path in (store.folder / record.case_id).iterdir()] == ["0001"]


def test_only_what_was_reviewed_is_learnt_from(model: Model) -> None:
    image, labelmap = slabs()
    case = build_case(
        image, labelmap, model, reviewed=planes(3, 4), reviewed_labels=[2], prediction=empty_prediction(image)
    )
    prepared = case.prepared(model.card.labels)
    assert prepared.labelled == (2,)
    known = prepared.labels != IGNORED
    assert known.sum() == 2 * 16 * 16 == case.record.reviewed_voxels
    # Half a patch around the reviewed slices is kept, the rest of the volume is not.
    assert case.record.shape == (4 + 1 + 8, 16, 16)


def test_a_reviewed_box_is_in_voxels_of_the_volume() -> None:
    mask = reviewed_box((4, 5, 6), ((1, 3), (0, 5), (2, 9)))
    assert mask.sum() == 2 * 5 * 2
    assert mask[2:, :, 1:3].all()


def test_the_dice_of_the_untouched_prediction_is_logged(model: Model, store: CaseStore) -> None:
    image, labelmap = slabs()
    half = sitk.GetArrayFromImage(labelmap)
    half[:8] = 0
    prediction = sitk.GetImageFromArray(half)
    record = store.add(build_case(image, labelmap, model, prediction=prediction))
    trial = store.load(record.case_id).record.baseline_dice
    assert trial is not None and trial.model == "test-model@1.0.0"
    assert trial.dice == {"Structure 1": pytest.approx(2 / 3, abs=1e-4), "Structure 2": pytest.approx(2 / 3, abs=1e-4)}
    assert trial.mean == pytest.approx(2 / 3, abs=1e-4)


def test_without_a_prediction_the_model_makes_one_itself(model: Model) -> None:
    image, labelmap = slabs()
    trial = build_case(image, labelmap, model, device="cpu").record.baseline_dice
    assert trial is not None and all(0 <= value <= 1 for value in trial.dice.values())


def test_a_dice_that_does_not_exist_survives_the_file(model: Model) -> None:
    image, labelmap = slabs()
    labelmap = sitk.ChangeLabel(labelmap, {2: 0})
    case = build_case(image, labelmap, model, absent=[2], prediction=empty_prediction(image))
    record = CaseRecord.from_json(json.dumps(case.record.to_json()).encode())
    assert record.baseline_dice is not None
    assert math.isnan(record.baseline_dice.dice["Structure 2"])
    assert case.absent_in(model.card.labels) == {2}


def test_labels_are_matched_by_name_so_that_a_case_serves_later_versions(model: Model) -> None:
    image, labelmap = slabs(labels=3)
    tumour = make_label(3, "Tumour")
    case = build_case(image, labelmap, model, new_labels=[tumour], prediction=empty_prediction(image))
    assert case.prepared(model.card.labels).labelled == (1, 2)
    assert set(np.unique(case.prepared(model.card.labels).labels)) == {0, 1, 2}
    grown = (*model.card.labels, make_label(3, "Cyst"), make_label(4, "tumour"))
    assert case.prepared(grown).labelled == (1, 2, 4)


def test_corrections_that_cannot_be_meant_are_refused_with_the_reason(model: Model) -> None:
    image, labelmap = slabs()
    elsewhere = sitk.Image(labelmap)
    elsewhere.SetOrigin((5, 0, 0))
    untouched = empty_prediction(image)
    wrong = [
        ({"correction": elsewhere}, "not on the volume's grid"),
        ({"correction": sitk.ChangeLabel(labelmap, {2: 7})}, "value 7"),
        ({"reviewed_labels": []}, "No label was reviewed"),
        ({"reviewed_labels": [3]}, "no label 3"),
        ({"absent": [1]}, "confirmed absent"),
        ({"reviewed": np.zeros((16, 16, 16), bool)}, "No voxel was reviewed"),
        ({"reviewed": np.ones((3, 3, 3), bool)}, "size"),
        ({"new_labels": [make_label(4, "Tumour")]}, "must have the value 3"),
        ({"new_labels": [make_label(3, "structure 1")]}, "already"),
    ]
    for changes, reason in wrong:
        with pytest.raises(TrainingDataError, match=reason):
            build_case(image, **{"correction": labelmap, "model": model, "prediction": untouched, **changes})  # type: ignore[arg-type]


def test_a_region_of_interest_is_normalised_as_it_was_for_the_prediction(model: Model) -> None:
    image, labelmap = slabs()
    image.SetSpacing((4, 4, 4))  # ROI_MARGIN_MM is then less than what lies outside
    labelmap.SetSpacing((4, 4, 4))
    roi = ((0, 5), (0, 5), (0, 5))
    case = build_case(image, labelmap, model, roi=roi, prediction=empty_prediction(image))
    whole = build_case(image, labelmap, model, prediction=empty_prediction(image))
    assert case.record.reviewed_voxels < whole.record.reviewed_voxels
    assert abs(float(case.image.mean()) - float(whole.image[:, : case.image.shape[1]].mean())) > 0.01


def test_a_model_that_segments_crops_learns_from_no_larger_volume(tmp_path: Path) -> None:
    model = make_model(tmp_path / "located", input=LOCATED)
    image, labelmap = slabs()
    with pytest.raises(TrainingDataError, match="is fine-tuned on crops of up to 10 x 10 x 10 mm"):
        build_case(image, labelmap, model, prediction=empty_prediction(image))
    crop = ((0, 8), (0, 8), (0, 8))
    assert build_case(image, labelmap, model, prediction=empty_prediction(image), roi=crop).record.reviewed_voxels
