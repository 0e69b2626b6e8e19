"""The same scan added twice is noticed by its voxels: corrected instead of repeated, never trained on and tested."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from finetuning_factory import (
    corrected_case,
    empty_prediction,
    installed_with_cases,
    planes,
    quick_job,
    slabs,
    tiny_model,
)

from LightMedSegLib.cli import main
from LightMedSegLib.finetuning.cases.building import build_case
from LightMedSegLib.finetuning.cases.same_scan import array_hash, by_scan, same_scan, same_scan_notes, volume_hash
from LightMedSegLib.finetuning.cases.store import RECORD_FILE, CaseStore
from LightMedSegLib.finetuning.gate.advice import before_run
from LightMedSegLib.finetuning.gate.held_out import plan_folds
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.model.package import Model

pytestmark = pytest.mark.usefixtures("nothing_shipped")


def copied(store: CaseStore, case_id: str, number: int, **changes: Any) -> str:
    """The same case once more, as a store of a time before duplicates were noticed may hold it."""
    other = f"{number:016x}"
    shutil.copytree(store.folder / case_id, store.folder / other)
    for path in (store.folder / case_id, store.folder / other):
        record = json.loads((path / "0001" / RECORD_FILE).read_text())
        del record["scan"], record["part"]
        if path.name == other:
            record.update(case_id=other, number=number, **changes)
        (path / "0001" / RECORD_FILE).write_text(json.dumps(record))
    return other


def test_a_volume_is_known_by_its_voxels_whatever_its_type_place_or_name() -> None:
    image, _ = slabs()
    image = sitk.Cast(image, sitk.sitkInt16)
    moved = sitk.Cast(image, sitk.sitkFloat64)
    moved.SetOrigin((5.0, -3.0, 12.0))
    moved.SetSpacing((0.5, 0.5, 2.0))
    moved.SetMetaData("PatientName", "Doe")
    assert volume_hash(moved) == volume_hash(image)
    image[3, 3, 3] += 1
    assert volume_hash(moved) != volume_hash(image)
    zeros = np.zeros((2, 3, 4), dtype=np.float32)
    assert array_hash(-zeros) == array_hash(zeros) != array_hash(zeros.reshape(2, 4, 3))


def test_another_correction_of_a_stored_scan_takes_the_place_of_the_first(model: Model, store: CaseStore) -> None:
    first = store.add(corrected_case(model))
    second = store.add(corrected_case(model, change=lambda labelmap: labelmap * 0))
    assert (second.case_id, second.number, second.revision) == (first.case_id, 1, 2)
    (note,) = same_scan_notes([entry.record for entry in store.list()], second, None)
    assert note.startswith("This scan was case 1 already")
    assert same_scan_notes([entry.record for entry in store.list()], second, first.case_id) == []
    assert not store.load(first.case_id).labels.any() and len(store.list()) == 1
    assert store.add(corrected_case(model, seed=1)).number == 2


def test_what_was_reviewed_is_not_lost_to_a_correction_that_reviewed_less(model: Model, store: CaseStore) -> None:
    image, labelmap = slabs()
    store.add(corrected_case(model))
    less = build_case(image, labelmap, model, reviewed_labels=[2], prediction=empty_prediction(image))
    assert store.add(less).number == 2
    assert len(by_scan([entry.record for entry in store.list() if entry.record])) == 1


def test_other_slices_of_a_small_scan_do_not_take_the_place_of_those_reviewed_before(
    tmp_path: Path, store: CaseStore
) -> None:
    model, (image, labelmap) = tiny_model(tmp_path / "large", patch=(32, 32, 32)), slabs()
    records = []
    for numbers in ([2, 3], [12, 13, 14], [1, 2, 3], [0, 1, 2, 3, 12, 13, 14]):
        mask = planes(*numbers)
        records.append(store.add(build_case(image, labelmap, model, reviewed=mask, prediction=empty_prediction(image))))
    assert len({record.part for record in records}) == 1
    assert [record.number for record in records] == [1, 2, 1, 1]


def test_another_part_of_a_scan_is_a_case_of_its_own_and_of_the_same_scan(model: Model, store: CaseStore) -> None:
    image, labelmap = slabs()
    records = []
    for numbers in ([2, 3], [12, 13]):
        mask = planes(*numbers)
        records.append(store.add(build_case(image, labelmap, model, reviewed=mask, prediction=empty_prediction(image))))
    assert [record.number for record in records] == [1, 2]
    assert records[0].part != records[1].part and same_scan(*records)
    (note,) = same_scan_notes(records, records[1], None)
    assert note.startswith("It is from the same scan as case 1")


def test_cases_that_are_joined_by_a_third_are_of_one_scan(model: Model) -> None:
    from dataclasses import replace

    record = corrected_case(model).record
    one, two, both, other = (
        replace(record, case_id=str(number), scan=scan, part="")
        for number, scan in enumerate([("a",), ("b",), ("a", "b"), ("c",)])
    )
    assert [[item.case_id for item in group] for group in by_scan([one, two, other, both])] == [["0", "1", "2"], ["3"]]


def test_records_without_a_hash_get_one_from_their_voxels(model: Model, store: CaseStore) -> None:
    first = store.add(corrected_case(model))
    copied(store, first.case_id, 2)
    other = store.add(corrected_case(model, seed=3))
    groups = by_scan([entry.record for entry in store.list() if entry.record])
    assert [[record.number for record in group] for group in groups] == [[1, 2], [other.number]]
    again = store.add(corrected_case(model))
    assert again.case_id == first.case_id, "a new correction finds an old record"


def test_cases_of_one_scan_are_held_out_together() -> None:
    scans = [["a", "b"], ["c"], ["d", "e", "f"], ["g"]]
    folds = plan_folds(scans, 3)
    assert len(folds) == 3
    for fold in folds:
        trained, tested = ({fold_case.case_id for fold_case in cases} for cases in (fold.train, fold.test))
        assert trained | tested == set("abcdefg")
        assert all(set(scan) <= trained or set(scan) <= tested for scan in scans)


def test_a_job_never_tests_on_the_scan_that_it_has_trained_on(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    _, cases, _ = installed_with_cases(tmp_path, cases=1)
    (entry,) = cases.list()
    copied(cases, entry.case_id, 2)
    events: list[dict[str, Any]] = []
    run_job(quick_job(), tmp_path / "job", events.append)
    start = next(event for event in events if event["event"] == "start")
    assert start["cases"] == 2
    assert start["parts"] == 2, "one scan: one half of it is tested, and then all is learnt"


def test_a_job_that_can_show_little_is_announced_as_such(model: Model) -> None:
    image, labelmap = slabs()
    perfect = build_case(image, labelmap, model, prediction=labelmap).record
    poor, other = corrected_case(model).record, corrected_case(model, seed=1).record
    assert "agreed with your correction already (Dice 1.000)" in before_run([perfect])
    assert "only half of it" in before_run([poor]) and "agreed" not in before_run([poor])
    assert before_run([poor, poor]) == before_run([poor]), "twice the same scan is one"
    assert before_run([poor, other]) == before_run([]) == ""


def test_the_command_line_says_which_cases_are_of_the_same_scan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, cases, _ = installed_with_cases(tmp_path, cases=2)
    copied(cases, cases.list()[0].case_id, 3)
    assert main(["cases"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("Same scan as")
    assert [line.split()[-1] for line in lines[:-1] if line.split()[0] in ("1", "3")] == ["3", "1"]


def test_finetune_says_that_a_scan_came_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    installed_with_cases(tmp_path, cases=0)
    for folder in ("images", "labels"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    image, labelmap = slabs()
    for name in ("first", "second"):
        sitk.WriteImage(image, str(tmp_path / "data" / "images" / f"{name}.nii.gz"))
        sitk.WriteImage(labelmap, str(tmp_path / "data" / "labels" / f"{name}.nii.gz"))
    command = ["finetune", "--model", "test-model", "--cases", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main([*command, "--device", "cpu", "--steps", "2"]) == 0
    shown = capsys.readouterr().out
    assert "second: This scan was case 1 already" in shown
    assert "One scan is little to learn from" in shown.split("Tested on")[0], "before the work begins"
    assert ("What to do next:" in shown) == ("Not accepted." in shown)
