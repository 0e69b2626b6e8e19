"""Runs that are planned from a dataset: the file says what the scans, the device and the minutes allow, and trains."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from training_factory import ball_case, content, write_decathlon_folder

from LightMedSegLib.cli import main
from LightMedSegLib.core.errors import DeviceError, OutputError, TrainingDataError
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.learning.configuration import OptimizerSection, TrainingConfiguration
from LightMedSegLib.learning.schedule import run_progress
from LightMedSegLib.model.package import load_model
from LightMedSegLib.training.configuration.reader import read_configuration
from LightMedSegLib.training.planning.augmentation_plan import plan_augmentation, side_pairs
from LightMedSegLib.training.planning.dataset import Dataset, read_dataset
from LightMedSegLib.training.planning.input_plan import Limits, plan_input
from LightMedSegLib.training.planning.memory import batch_size, memory_limits
from LightMedSegLib.training.planning.patients import patient_of, patients_of, split_by_patient
from LightMedSegLib.training.planning.run_folder import init_run
from LightMedSegLib.training.planning.run_plan import plan_run
from LightMedSegLib.training.planning.scan_facts import ScanFacts
from LightMedSegLib.training.planning.schedule import plan_schedule, windows_of


def silent(message: str) -> None:
    """Nobody reads it."""


def facts(size: float, extent: float, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> ScanFacts:
    values = np.linspace(0, 100, 1000, dtype=np.float32)
    return ScanFacts("MR", spacing, (size,) * 3, (extent,) * 3, values, values, frozenset({1}))


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_decathlon_folder(tmp_path / "Task99_Balls", 6)
    description = {"channel_names": {"0": "T1"}, "labels": {"background": 0, "Left ball": 1, "Right ball": 2}}
    (tmp_path / "Task99_Balls" / "dataset.json").write_text(json.dumps(description))
    return read_dataset(tmp_path / "Task99_Balls", silent)


def test_the_commands_of_the_documentation_plan_train_and_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_decathlon_folder(tmp_path / "balls", 4)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--init", "balls", "--minutes", "0.01", "--device", "cpu"]) == 0
    run = Path("balls-run")
    assert f"lightmedseg train --config {run / 'run.toml'} --out {run}" in capsys.readouterr().out
    planned = read_configuration(run / "run.toml")
    assert [label["name"] for label in planned.labels] == ["Structure 1", "Structure 2"]
    text = (run / "run.toml").read_text()
    assert (
        "are expected in 0.01 minutes: a step took " in text
        and "# x, y, z. The median of the scans is 1 x 1 x 1" in text
    )
    train = ["train", "--config", str(run / "run.toml"), "--out", str(run), "--device", "cpu"]
    assert main([*train, "--steps", "1"]) == 0
    assert "step      1 of 1" in capsys.readouterr().out
    assert load_model(run / "model").card.title == "balls"
    assert main([*train, "--evaluate", "validation"]) == 0
    assert main([*train, "--evaluate", "test"]) == 2
    assert "no case in its test part" in capsys.readouterr().err


def test_scans_without_a_labelmap_are_reported_and_left_out(tmp_path: Path) -> None:
    write_decathlon_folder(tmp_path / "balls", 3)
    next(iter((tmp_path / "balls" / "labelsTr").iterdir())).unlink()
    told: list[str] = []
    assert len(read_dataset(tmp_path / "balls", told.append).cases) == 2
    assert told == ["left out 1 volume without a labelmap", "read 2 of 2 cases"]


def test_a_run_without_a_split_keeps_the_one_that_it_drew(tmp_path: Path) -> None:
    write_decathlon_folder(tmp_path / "data", 4)
    file = content(network={"name": "lightmedseg-tiny"}, optimizer={"steps": 1})
    (tmp_path / "run.json").write_text(json.dumps(file))
    words = ["train", "--config", str(tmp_path / "run.json"), "--data", str(tmp_path / "data"), "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    assert len(json.loads((tmp_path / "out" / "drawn-split.json").read_text())["validation"]) == 1
    assert main([*words, "--out", str(tmp_path / "out"), "--evaluate", "validation"]) == 0


def test_a_foreign_split_is_refused_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_decathlon_folder(tmp_path / "data", 2)
    (tmp_path / "split.json").write_text(json.dumps({"train": ["of_somebody"], "validation": [], "test": []}))
    (tmp_path / "run.json").write_text(json.dumps(content(data={"split": "split.json"})))
    words = ["train", "--config", str(tmp_path / "run.json"), "--data", str(tmp_path / "data"), "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "with --set data.split= (nothing after it)" in capsys.readouterr().err


def test_the_plan_follows_the_dataset_and_the_time(dataset: Dataset) -> None:
    seen: list[TrainingConfiguration] = []

    def trial(configuration: TrainingConfiguration, device: str) -> float:
        seen.append(configuration)
        return 0.5

    plan = plan_run(dataset, 30.0, "cpu", trial)
    assert plan.content["card"]["name"] == "task99-balls" and plan.content["card"]["modality"] == "OT"
    assert plan.content["input"]["channels"][0]["name"] == "T1"
    assert plan.content["augmentation"]["mirror_label_swaps"] == [[1, 2]]
    assert plan.content["optimizer"]["steps"] == 5400 and plan.content["optimizer"]["budget_seconds"] == 1800.0
    assert plan.expected_steps == 3060
    assert not plan.few_steps and plan_run(dataset, 1.0, "cpu", trial).few_steps
    assert seen[0].patch == (16, 16, 16) and seen[0].optimizer.batch == 2
    assert len(plan.split.validation) == 1 and plan.split.test == ()


def test_a_device_with_little_memory_gets_smaller_batches_then_smaller_patches_then_is_refused(
    dataset: Dataset,
) -> None:
    big = replace(dataset, facts=((facts(200.0, 100.0),),))
    tried = []

    def small(configuration: TrainingConfiguration, device: str) -> float | None:
        voxels = int(np.prod(configuration.patch))
        tried.append((configuration.optimizer.batch, voxels))
        return 1.0 if voxels < 150_000 else None

    plan = plan_run(big, 30.0, "cpu", small)
    assert [batch for batch, _ in tried[:2]] == [2, 1]
    assert np.prod(plan.content["input"]["patch"]) < 150_000
    with pytest.raises(DeviceError, match="too small for training"):
        plan_run(big, 30.0, "cpu", lambda configuration, device: None)


def test_every_patch_suits_the_network_and_voxels_grow_where_memory_ends() -> None:
    for size, extent in ((30.0, 10.0), (200.0, 90.0), (500.0, 300.0)):
        for limits in (Limits(), Limits(32**3), Limits(64**3, 50_000.0)):
            planned = plan_input([facts(size, extent)] * 10, limits)
            assert all(side % 16 == 0 for side in planned["patch"])
            assert 10 * np.prod(np.divide(size, planned["spacing_mm"])) <= max(limits.stored, 1) * 1.01
    assert plan_input([facts(100.0, 90.0)], Limits(64**3, 1e5))["spacing_mm"][0] > 2.0


def test_thick_slices_take_nearly_the_finest_spacing_of_the_scans() -> None:
    scans = [facts(300.0, 50.0, (0.7, 0.7, thick)) for thick in (3.0, 8.0, 8.0, 8.0, 8.0)]
    x, _, z = plan_input(scans, Limits(128**3))["spacing_mm"]
    assert x == 0.7 and z == 5.0
    assert plan_input([facts(50.0, 20.0, (1.0, 1.0, 2.0))] * 3)["spacing_mm"][2] == 2.0


def test_memory_and_batches_by_device() -> None:
    limits = memory_limits("cpu", 1)
    assert 32**3 <= limits.patch <= 64**3 and limits.stored > 0
    assert memory_limits("cpu", 4).stored < limits.stored
    assert batch_size(32**3, limits, "cpu") == 2
    assert batch_size(32**3, Limits(128**3), "cuda:0") == 16
    assert batch_size(128**3, Limits(128**3), "cuda:0") == 2


def test_a_run_with_faster_steps_than_were_measured_is_ended_by_its_time() -> None:
    """Compiled, or on a computer that was busy when it was measured, a step takes two thirds of the time."""
    planned = plan_schedule(3, 1.2, 2, 10)
    settings = OptimizerSection(steps=planned.optimizer["steps"], budget_seconds=planned.optimizer["budget_seconds"])
    steps = int(170 / 0.8)
    assert run_progress(settings, steps, 170.0) == pytest.approx(170 / 180)


def test_the_schedule_fills_the_time_and_validations_do_not_eat_it() -> None:
    fast, slow = plan_schedule(10, 0.01, 4, 100), plan_schedule(10, 5.0, 2, 1000)
    assert fast.optimizer["steps"] == 30_000 and fast.averaging["decay"] == 0.999
    assert slow.expected_steps == 102 and slow.run["log_interval"] == 3
    assert slow.run["validation_interval"] == 102, "one validation takes longer than a tenth of the run"
    assert windows_of((64, 64, 96), (1, 1, 2), (48, 64, 64), 0.5) == 1
    assert windows_of((64, 64, 200), (1, 1, 2), (48, 64, 64), 0.5) == 4


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("sub-07_ses-2_T1w", "sub-07"),
        ("patient_012_visit2", "patient_012"),
        ("p3_ses-1", "p3"),
        ("case_0012_t1", "case_0012"),
        ("hippocampus_001", "hippocampus_001"),
        ("case_t1", "case_t1"),
        ("liver_12", "liver_12"),
    ],
)
def test_patients_by_the_names_of_their_cases(name: str, patient: str) -> None:
    assert patient_of(name) == patient


def test_a_patient_is_in_one_part_and_few_cases_are_not_spent_on_a_test() -> None:
    many = {f"sub-{number:02d}_ses-{visit}": f"sub-{number:02d}" for number in range(40) for visit in (1, 2)}
    split = split_by_patient(many, 1)
    parts = [{many[name] for name in part} for part in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40
    assert [len(split.validation), len(split.test)] == [8, 8]
    few = split_by_patient({name: name for name in "abcdefgh"}, 1)
    assert (len(few.validation), few.test) == (1, ())
    assert split_by_patient({"a": "p", "b": "p"}, 1).validation == ()
    cases = [Case("a", (), Path("a"), patient="p"), Case("b_1", (), Path("b"))]
    assert patients_of(cases) == {"a": "p", "b_1": "b_1"}


def test_sides_change_places_in_mirror_images_and_a_lone_side_forbids_them() -> None:
    assert side_pairs(["Liver", "kidney_right", "kidney_left"]) == [(2, 3)]
    assert side_pairs(["Liver", "Copyright mark"]) == []
    assert side_pairs(["Left lung"]) is None
    assert "mirror_axes" not in plan_augmentation(["Left lung"], (48, 48, 48), ct=False)
    assert plan_augmentation(["Liver"], (48, 64, 80), ct=True)["elastic_grid_mm"] == 12.0


def test_tables_of_several_channels_and_patients_and_values_without_names(tmp_path: Path) -> None:
    image, labels = ball_case(1)
    for name, array in (("t1.nii.gz", image), ("t2.nii.gz", image), ("labels.nii.gz", labels)):
        sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / name))
    rows = "case,image_0,image_1,labelmap,patient\na,t1.nii.gz,t2.nii.gz,labels.nii.gz,p\n"
    (tmp_path / "cases.csv").write_text(rows)
    found = read_dataset(tmp_path / "cases.csv", silent)
    assert found.channels == ("", "") and len(found.facts) == 2 and found.cases[0].patient == "p"
    sitk.WriteImage(sitk.GetImageFromArray(labels * 100), str(tmp_path / "labels.nii.gz"))
    with pytest.raises(TrainingDataError, match=r"the values 100, 200; write a dataset\.json"):
        read_dataset(tmp_path / "cases.csv", silent)


def test_a_run_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        init_run(tmp_path, tmp_path, 1.0, "cpu", silent)
    assert (tmp_path / "run.toml").read_text() == "mine"
