"""Whole jobs: from corrected cases to a verdict and a candidate, and every way in which they can be interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from finetuning_factory import (
    QUICK,
    TINY_TASK,
    corrected_case,
    empty_prediction,
    installed_with_cases,
    quick_job,
    slabs,
    tiny_model,
)

from LightMedSegLib.core.errors import CancelledError, TrainingDataError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.finetuning.cases.building import build_case
from LightMedSegLib.finetuning.cases.store import CaseStore
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.finetuning.gate import cross_validation
from LightMedSegLib.finetuning.job.description import JobDescription
from LightMedSegLib.finetuning.job.job import run_job
from LightMedSegLib.finetuning.tuning.tuner import Tuner
from LightMedSegLib.finetuning.versions import gate_report
from LightMedSegLib.inference.segmentation import segment
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.model.package import Model, save_model
from LightMedSegLib.model.store import ModelStore
from LightMedSegLib.storage.file_lock import LockedError, exclusive

pytestmark = pytest.mark.usefixtures("nothing_shipped")


@pytest.fixture(scope="module")
def able_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Weights that segment the slabs well, made by fine-tuning."""
    model = tiny_model(tmp_path_factory.mktemp("able") / "package")
    cases = [corrected_case(model, seed).prepared(model.card.labels) for seed in range(2)]
    tuner = Tuner(model.build_network(), cases, [], TINY_TASK, replace(QUICK, steps=30), torch.device("cpu"))
    while not tuner.finished:
        tuner.advance()
    return {name: value.numpy() for name, value in tuner.weights().items()}


@pytest.fixture
def able(able_weights: dict[str, np.ndarray], tmp_path: Path) -> Iterator[Model]:
    """An installed model that already knows the slabs."""
    store, _, model = installed_with_cases(tmp_path, cases=0)
    card = {**model.card.to_json(), "name": "able-model"}
    yield store.add(save_model(tmp_path / "able", card, able_weights).folder)


def test_corrections_improve_the_model_and_the_candidate_waits_for_the_user(tmp_path: Path) -> None:
    store, _, _ = installed_with_cases(tmp_path, cases=3)
    events: list[dict[str, Any]] = []
    result = run_job(quick_job(), tmp_path / "job", events.append)
    assert result.verdict.accepted, result.verdict.reasons
    assert result.candidate == "test-model@1.1.0-tuned.1" and not result.adopted
    assert store.find("test-model").card.version == "1.0.0"
    card = store.find(result.candidate).card
    assert gate_report(card) == result.verdict.to_json()
    assert card.training["cases"]["train"] == 3
    settings = card.training["configuration"]["fine_tuning"]
    assert (settings["steps"], settings["kept_share"], settings["voxel_size_factor"]) == (QUICK.steps, 1.0, 1.0)
    kinds = [event["event"] for event in events]
    assert (
        kinds[:2] == ["start", "baseline"]
        and kinds[-1] == "verdict"
        and "dice" in kinds
        and kinds.count("step") == 4 * QUICK.steps
    )
    assert json.loads((tmp_path / "job" / "result.json").read_text())["accepted"] is True
    assert not (tmp_path / "job" / "work").exists()


def test_a_job_may_adopt_by_itself_only_when_it_was_asked_to(tmp_path: Path) -> None:
    store, _, _ = installed_with_cases(tmp_path)
    result = run_job(quick_job(adopt="if_better"), tmp_path / "job")
    assert result.adopted
    assert store.find("test-model").card.identifier == result.candidate


def test_the_same_job_gives_the_same_weights(tmp_path: Path) -> None:
    store, _, _ = installed_with_cases(tmp_path)
    first, second = (run_job(quick_job(), tmp_path / name).candidate for name in ("a", "b"))
    assert first is not None and second is not None and first != second
    assert store.find(first).card.weights.sha256 == store.find(second).card.weights.sha256


def test_swapped_labels_are_not_adopted_and_the_reason_says_so(able: Model, tmp_path: Path) -> None:
    _add(corrected_case(able, 7, lambda labelmap: sitk.ChangeLabel(labelmap, {1: 2, 2: 1})))
    result = run_job(quick_job(model="able-model", adopt="if_better"), tmp_path / "job")
    assert not result.verdict.accepted and not result.adopted and result.candidate is None
    assert "swapped" in result.verdict.reasons[0]
    assert ModelStore().find("able-model").card.version == "1.0.0"


def test_an_empty_correction_is_not_adopted_and_the_reason_says_so(able: Model, tmp_path: Path) -> None:
    _add(corrected_case(able, 7, empty_prediction))
    result = run_job(quick_job(model="able-model", adopt="if_better"), tmp_path / "job")
    assert not result.verdict.accepted and not result.adopted
    assert "empty" in result.verdict.reasons[0]


def test_one_swapped_case_among_sound_ones_is_found_by_its_number(able: Model, tmp_path: Path) -> None:
    for seed in (1, 2):
        _add(corrected_case(able, seed))
    _add(corrected_case(able, 7, lambda labelmap: sitk.ChangeLabel(labelmap, {1: 2, 2: 1})))
    result = run_job(quick_job(model="able-model"), tmp_path / "job")
    assert len(result.verdict.reasons) == 1 and "In case 3" in result.verdict.reasons[0]


def test_corrections_that_change_nothing_are_no_improvement(able: Model, tmp_path: Path) -> None:
    image, _ = slabs(5)
    untouched = segment(image, able, "cpu").labelmap
    _add(build_case(image, untouched, able, prediction=untouched))
    settings = replace(QUICK, steps=2, learning_rate=1e-4)
    result = run_job(quick_job(model="able-model", settings=settings), tmp_path / "job")
    assert not result.verdict.accepted
    assert any("not better" in reason for reason in result.verdict.reasons)
    assert result.candidate is not None  # kept aside: the user may look at it


def test_a_correction_too_small_to_be_tested_is_not_accepted_without_a_test(tmp_path: Path) -> None:
    def small(labelmap: sitk.Image) -> sitk.Image:
        truth = sitk.GetArrayFromImage(labelmap) * 0
        truth[7:10, 7:10, 6:8], truth[7:10, 7:10, 8:10] = 1, 2
        return sitk.GetImageFromArray(truth)

    _, cases, model = installed_with_cases(tmp_path, cases=0)
    cases.add(corrected_case(model, 0, small))
    result = run_job(quick_job(adopt="if_better"), tmp_path / "job")
    assert not result.adopted and result.candidate is not None
    assert "too small" in result.verdict.reasons[0]


def test_a_new_label_is_learnt_and_appended_to_the_card(able: Model, tmp_path: Path) -> None:
    image, labelmap = slabs(1)
    array, truth = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labelmap)
    truth[:, :4], array[:, :4] = 3, 1500
    changed, correction = sitk.GetImageFromArray(array), sitk.GetImageFromArray(truth)
    tumour = [make_label(3, "Tumour")]
    _add(build_case(changed, correction, able, new_labels=tumour, prediction=empty_prediction(changed)))
    settings = replace(QUICK, steps=12)
    result = run_job(quick_job(model="able-model", settings=settings), tmp_path / "job")
    assert result.candidate is not None
    model = ModelStore().find(result.candidate)
    assert [label.name for label in model.card.labels] == ["Structure 1", "Structure 2", "Tumour"]
    rows = {row.name: row for row in result.verdict.held_out}
    assert rows["Tumour"].before == 0.0 and rows["Tumour"].after > 0.5
    model.build_network()


@pytest.mark.parametrize("stop_at", [0, 3, 6])
def test_a_cancelled_job_goes_on_where_it_stopped_to_the_same_weights(tmp_path: Path, stop_at: int) -> None:
    store, _, _ = installed_with_cases(tmp_path)
    straight = run_job(quick_job(), tmp_path / "straight").candidate
    token, steps = CancelToken(), []

    def stop(event: dict[str, Any]) -> None:
        steps.append(event["event"])
        if steps.count("step") >= stop_at:
            token.cancel()

    with pytest.raises(CancelledError):
        run_job(quick_job(), tmp_path / "stopped", stop, token)
    assert len(store.list()) == 2
    events: list[dict[str, Any]] = []
    resumed = run_job(quick_job(), tmp_path / "stopped", events.append).candidate
    assert sum(event["event"] == "step" for event in events) == 2 * QUICK.steps - stop_at
    assert straight is not None and resumed is not None
    assert store.find(straight).card.weights.sha256 == store.find(resumed).card.weights.sha256


def test_a_job_cancelled_while_it_tests_a_part_need_not_train_that_part_again(tmp_path: Path) -> None:
    installed_with_cases(tmp_path)
    job, token = quick_job(settings=replace(QUICK, checkpoint_seconds=1000.0)), CancelToken()

    def stop_after_the_first_training(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == QUICK.steps:
            token.cancel()

    with pytest.raises(CancelledError):
        run_job(job, tmp_path / "job", stop_after_the_first_training, token)
    events: list[dict[str, Any]] = []
    run_job(job, tmp_path / "job", events.append)
    assert [event["part"] for event in events if event["event"] == "step"] == [2] * QUICK.steps


def test_a_job_cancelled_while_it_looks_how_good_it_is_loses_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_with_cases(tmp_path)
    job, token = quick_job(settings=replace(QUICK, checkpoint_seconds=1000.0)), CancelToken()
    look = cross_validation.evaluate

    def cancelled_within(*arguments: Any) -> Any:
        token.cancel()
        return look(*arguments)

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step":
            patch.setattr(cross_validation, "evaluate", cancelled_within)

    with monkeypatch.context() as patch, pytest.raises(CancelledError):
        run_job(job, tmp_path / "job", stop, token)
    events: list[dict[str, Any]] = []
    run_job(job, tmp_path / "job", events.append)
    assert next(event["step"] for event in events if event["event"] == "step") == 2


def test_other_cases_or_settings_in_the_same_folder_begin_anew(tmp_path: Path) -> None:
    _, cases, model = installed_with_cases(tmp_path)

    def stop_after_first_part(event: dict[str, Any]) -> None:
        if event["event"] == "part":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(quick_job(), tmp_path / "job", stop_after_first_part)
    cases.add(corrected_case(model, 9))
    events: list[dict[str, Any]] = []
    run_job(quick_job(), tmp_path / "job", events.append)
    assert events[0]["resumed"] is False and events[0]["cases"] == 2


def test_only_one_process_may_do_a_job(tmp_path: Path) -> None:
    installed_with_cases(tmp_path)
    (tmp_path / "job").mkdir()
    with exclusive(tmp_path / "job" / ".lock"), pytest.raises(LockedError):
        run_job(quick_job(), tmp_path / "job")


def test_cases_that_cannot_be_used_are_named(able: Model, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no corrected case for able-model"):
        run_job(quick_job(model="able-model"), tmp_path / "job")
    with pytest.raises(TrainingDataError, match="There is no case 00"):
        run_job(quick_job(model="able-model", cases=("00",)), tmp_path / "job")


def test_no_identifier_is_in_any_byte_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, cases, model = installed_with_cases(tmp_path, cases=0)
    image, labelmap = slabs()
    for volume in (image, labelmap):
        volume.SetMetaData("0010|0010", "DOE^JANE")
        volume.SetOrigin((-4711.25, 0, 0))
    cases.add(build_case(image, labelmap, model, prediction=empty_prediction(image)))
    result = run_job(quick_job(), tmp_path / "job")
    assert result.candidate is not None
    folders = [cases.folder, tmp_path / "job", ModelStore().find(result.candidate).folder]
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 4
    for path in written:
        content = path.read_bytes()
        for text in (b"DOE^JANE", b"4711", str(tmp_path).encode()):
            assert text not in content, path.name


def test_a_job_file_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    for content, reason in (
        ({}, "model is missing"),
        ({"model": "a", "speed": 1}, "speed is not known"),
        ({"model": "a", "cases": [1]}, r"cases\[0\] must be a text, not 1"),
        ({"model": "a", "install": 1}, "install must be true or false, not 1"),
        ({"model": "a", "threads": True}, "threads must be a whole number, not true"),
        ({"model": "a", "adopt": "always"}, "adopt must be one of 'ask', 'if_better', not 'always'"),
        ({"model": "a", "threads": 2000}, "threads is 2000, the most allowed is 1024"),
        ([], "must be an object, not a list"),
        ({"model": "a", "adopt": "if_better", "install": False}, "installed"),
        ({"model": "a", "settings": {"steps": -1}}, "settings.steps is -1, the least allowed is 1"),
    ):
        (tmp_path / "job.json").write_text(json.dumps(content))
        with pytest.raises(TrainingDataError, match=reason):
            JobDescription.read(tmp_path / "job.json")
    path = quick_job(cases=("ab",)).write(tmp_path / "new")
    assert JobDescription.read(path) == quick_job(cases=("ab",))


def _add(case: StoredCase) -> None:
    CaseStore().add(case)
