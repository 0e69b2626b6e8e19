"""Whole training runs on tiny data: learning, stopping, resuming, averaging, packaging."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from training_factory import CPU, TinyNetwork, configuration, prepared_cases, tiny_network

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.windows import WindowRule
from LightMedSegLib.learning.averaging import WeightAverage
from LightMedSegLib.learning.checkpoint import load_checkpoint, read_weights
from LightMedSegLib.learning.configuration import OptimizerSection
from LightMedSegLib.learning.schedule import learning_rate, run_progress
from LightMedSegLib.model.package import load_model
from LightMedSegLib.training import trainer
from LightMedSegLib.training.run import load_run_network, run_training
from LightMedSegLib.training.split import Split
from LightMedSegLib.training.trainer import Trainer, TrainingResult
from LightMedSegLib.training.validation import GridValidator


def make_trainer(output: Path, settings=None, network=None, validation=1, **options) -> Trainer:
    cases = prepared_cases(6)
    return Trainer(
        settings or configuration(),
        network or tiny_network(),
        cases[validation:],
        cases[:validation],
        output,
        CPU,
        report=lambda message: None,
        **options,
    )


def test_a_small_network_learns_the_task(tmp_path):
    settings = configuration(optimizer={"steps": 80, "batch": 4, "learning_rate": 0.03}, averaging={"decay": 0.9})
    result = make_trainer(tmp_path, settings, validation=2).train()
    assert result.finished
    assert result.step == 80
    assert result.score is not None
    assert result.score > 0.8


def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    settings = configuration(optimizer={"steps": 6}, run={"validation_interval": 1})
    whole = make_trainer(tmp_path / "whole", settings).train()
    token = CancelToken()
    token.cancel()
    for stretch in range(5):
        part = make_trainer(tmp_path / "parts", settings, tiny_network(seed=9 if stretch else 0)).train(cancel=token)
        assert not part.finished or stretch == 5
        assert part.step == stretch + 1
    last = make_trainer(tmp_path / "parts", settings, tiny_network(seed=9)).train()
    assert last.finished
    for name, value in whole.weights.items():
        torch.testing.assert_close(last.weights[name], value, atol=1e-6, rtol=1e-5)
    assert last.per_label == pytest.approx(whole.per_label, abs=1e-6)
    assert len(list((tmp_path / "parts").glob("checkpoint-*"))) == 1


def test_the_time_limit_stops_the_run_and_saves(tmp_path):
    result = make_trainer(tmp_path, configuration(optimizer={"steps": 100000})).train(deadline=0.0)
    assert not result.finished
    assert result.step == 1
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    assert checkpoint.state["step"] == 1


def test_a_line_says_step_of_steps_and_the_time_left_though_the_interval_is_long(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "LOG_SECONDS", -1.0)
    lines = []
    settings = configuration(optimizer={"steps": 3}, run={"log_interval": 100})
    Trainer(settings, tiny_network(), prepared_cases(2), [], tmp_path, CPU, report=lines.append).train()
    assert [line[:14] for line in lines] == [f"step      {step} of" for step in (1, 2, 3)]
    assert all(line.endswith(" left") for line in lines)


def test_a_checkpoint_of_another_network_or_a_damaged_one_is_refused(tmp_path):
    make_trainer(tmp_path, configuration(optimizer={"steps": 1})).train()
    wider = TinyNetwork()
    wider.head = torch.nn.Conv3d(8, 3, 1)
    with pytest.raises(TrainingDataError, match="another network"):
        make_trainer(tmp_path, network=wider)
    (file,) = tmp_path.glob("checkpoint-*.safetensors")
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(TrainingDataError, match="damaged"):
        make_trainer(tmp_path)


def test_a_crash_while_saving_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    settings = configuration(optimizer={"steps": 3}, run={"checkpoint_interval": 1})
    written = []

    def full_disk(path, tensors):
        written.append(path)
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        return original(path, tensors)

    from LightMedSegLib.learning import checkpoint as module

    original = module.write_tensors
    monkeypatch.setattr(module, "write_tensors", full_disk)
    with pytest.raises(Exception, match=r"disk is full|No space"):
        make_trainer(tmp_path, settings).train()
    found = load_checkpoint(tmp_path)
    assert found is not None
    assert found.state["step"] == 1


def test_a_diverging_run_says_so(tmp_path):
    network = tiny_network()
    with torch.no_grad():
        network.head.bias.fill_(float("nan"))
    with pytest.raises(TrainingDataError, match="diverged"):
        make_trainer(tmp_path, network=network).train()


def test_curves_hold_losses_and_validations_and_continue_after_a_resume(tmp_path):
    settings = configuration(optimizer={"steps": 4}, run={"validation_interval": 2})
    token = CancelToken()
    token.cancel()
    make_trainer(tmp_path, settings).train(cancel=token)
    make_trainer(tmp_path, settings).train()
    with (tmp_path / "curves.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert all(float(row["loss"]) > 0 for row in rows)
    assert [bool(row["dice Bright ball"]) for row in rows] == [True, True, False, True]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_there_is_a_table_but_no_picture(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert make_trainer(tmp_path, configuration(optimizer={"steps": 1})).train().finished
    assert (tmp_path / "curves.csv").is_file()
    assert not (tmp_path / "curves.png").exists()


def test_partly_labelled_cases_train_and_score_only_what_was_annotated(tmp_path):
    cases = prepared_cases(3) + [
        case.__class__(
            case.name + "_part", case.image, np.where(case.labels == 2, 0, case.labels).astype(np.uint8), (1,)
        )
        for case in prepared_cases(3)
    ]
    settings = configuration(optimizer={"steps": 30, "batch": 4}, averaging={"decay": 0.8})
    result = Trainer(settings, tiny_network(), cases, cases[3:], tmp_path, CPU, report=lambda message: None).train()
    assert np.isnan(result.per_label[1])
    whole = GridValidator(prepared_cases(3), WindowRule(settings.patch, stride=2, classes=3), CPU)
    network = tiny_network()
    network.load_state_dict(result.weights)
    # Half of the cases call the bright ball background; a network that believed them would not find it.
    assert whole.score(network.eval()).per_label[1] > 0.6


def test_the_average_follows_the_weights_with_a_warm_up():
    network = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, decay=0.5)
    wanted = float(network.weight.item())
    for step in range(20):
        with torch.no_grad():
            network.weight.fill_(float(step))
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * step
    assert float(average.tensors["weight"]) == pytest.approx(wanted)


def test_whole_numbers_in_a_network_are_copied_into_the_average_not_averaged():
    network = torch.nn.BatchNorm3d(2)
    average = WeightAverage(network, decay=0.9)
    network.train()(torch.randn(2, 2, 3, 3, 3))
    average.update(0)
    assert int(average.tensors["num_batches_tracked"]) == 1


def test_the_learning_rate_warms_up_and_declines_to_its_minimum():
    for schedule in ("cosine", "polynomial"):
        settings = OptimizerSection(schedule=schedule, steps=100, warmup_steps=10, learning_rate=1.0)
        rates = [learning_rate(settings, step, run_progress(settings, step, 0.0)) for step in range(101)]
        assert rates[0] < rates[5] < rates[9]
        assert rates[20] > rates[60] > rates[99]
        assert rates[100] == pytest.approx(settings.minimum_learning_rate)
    budget = OptimizerSection(steps=100, budget_seconds=10.0)
    assert run_progress(budget, 10, 9.0) == pytest.approx(0.9)
    assert run_progress(budget, 95, 9.0) == pytest.approx(0.95)


def network_settings(**sections):
    return configuration(**{**sections, "network": {"name": "lightmedseg-tiny", **sections.get("network", {})}})


def prepare(folder: Path, settings) -> Path:
    from LightMedSegLib.learning.prepared_case import write_prepared

    write_prepared(folder, prepared_cases(4), settings)
    return folder


SPLIT = Split(("case_00", "case_01"), ("case_02",), ("case_03",))


def test_a_run_is_packaged_with_its_card_and_configuration_and_can_teach_another(tmp_path):
    settings = network_settings(optimizer={"steps": 2})
    prepared = prepare(tmp_path / "prepared", settings)
    result = run_training(settings, prepared, tmp_path / "first", SPLIT, report=lambda message: None)
    model = load_model(tmp_path / "first" / "model")
    assert model.card.training["cases"] == {"train": 2, "validation": 1, "test": 1}
    assert model.card.training["split_sha256"] == SPLIT.sha256
    assert not any(name.startswith("auxiliary_heads") for name in model.weights())
    network = model.build_network()
    volume = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        trained = load_run_network(tmp_path / "first")(volume)
        torch.testing.assert_close(network(volume), trained, atol=2e-2, rtol=2e-2)
    assert set(read_weights(tmp_path / "first" / "weights.safetensors")) == set(result.weights)
    student = network_settings(optimizer={"steps": 1}, distillation={"teachers": [str(tmp_path / "first")]})
    run_training(student, prepared, tmp_path / "second", SPLIT, report=lambda message: None)
    text = (tmp_path / "second" / "model" / "training.toml").read_text()
    assert 'teachers = ["first"]' in text
    assert str(tmp_path) not in text + (tmp_path / "second" / "model" / "model.json").read_text()


def test_a_run_starts_from_a_model_whose_deep_supervision_was_left_out(tmp_path):
    settings = network_settings(network={"deep_supervision": True})
    prepared = prepare(tmp_path / "prepared", settings)
    run_training(settings, prepared, tmp_path / "first", SPLIT, report=lambda message: None)
    model = tmp_path / "first" / "model"
    started = load_run_network(model, settings)
    expected = load_model(model).build_network()
    assert all(torch.equal(value, expected.state_dict()[name]) for name, value in started.state_dict().items())
    further = network_settings(
        network={"deep_supervision": True, "initial": str(model)}, optimizer={"steps": 1, "learning_rate": 1e-12}
    )
    run_training(further, prepared, tmp_path / "second", SPLIT, report=lambda message: None)
    result = load_model(tmp_path / "second" / "model").build_network()
    for name, value in result.state_dict().items():
        assert torch.allclose(value, expected.state_dict()[name], atol=1e-3), name


def test_a_teacher_with_other_labels_or_none_is_refused(tmp_path):
    settings = network_settings(distillation={"teachers": [str(tmp_path / "nothing")]})
    prepared = prepare(tmp_path / "prepared", settings)
    with pytest.raises(TrainingDataError, match="holds no training run"):
        run_training(settings, prepared, tmp_path / "out", SPLIT)


def test_a_split_with_unknown_cases_is_refused(tmp_path):
    settings = network_settings()
    prepared = prepare(tmp_path / "prepared", settings)
    with pytest.raises(TrainingDataError, match="case_77"):
        run_training(settings, prepared, tmp_path / "out", Split(("case_77",), (), ()))


def test_a_folder_of_the_users_is_never_replaced_by_the_package(tmp_path):
    settings = network_settings(optimizer={"steps": 1})
    prepared, place = prepare(tmp_path / "prepared", settings), tmp_path / "out" / "model"
    place.mkdir(parents=True)
    (place / "bones.stl").write_text("mine")
    with pytest.raises(TrainingDataError, match="no training made it"):
        run_training(settings, prepared, tmp_path / "out", SPLIT)
    assert (place / "bones.stl").read_text() == "mine" and sorted(tmp_path.glob("out/*")) == [place]
    (place / "bones.stl").unlink()
    run_training(settings, prepared, tmp_path / "out", SPLIT, report=lambda message: None)
    assert load_model(place)


def test_the_time_limit_of_a_run_counts_what_comes_before_the_first_step(tmp_path, monkeypatch):
    settings = configuration()
    prepared = prepare(tmp_path / "prepared", settings)
    clock = [100.0]
    monkeypatch.setattr("LightMedSegLib.training.run.time.perf_counter", lambda: clock[0])
    deadlines = []

    class SlowToCompile:
        def __init__(self, *_: object, **__: object) -> None:
            clock[0] += 60.0

        def train(self, deadline: float, cancel: object) -> TrainingResult:
            deadlines.append(deadline)
            raise TrainingDataError("enough")

    monkeypatch.setattr("LightMedSegLib.training.run.Trainer", SlowToCompile)
    with pytest.raises(TrainingDataError, match="enough"):
        run_training(settings, prepared, tmp_path / "out", SPLIT, time_limit=90.0)
    assert deadlines == [190.0] and clock == [160.0]
