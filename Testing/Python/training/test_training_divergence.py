"""A run that diverges is seen, goes back to weights that were good, and goes on with less."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import random

import pytest
import torch
from training_factory import CPU, configuration, prepared_cases, tiny_network

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.learning.configuration import OptimizerSection
from LightMedSegLib.learning.optimizer import ClippedAdamW
from LightMedSegLib.training import trainer as trainer_module
from LightMedSegLib.training.stability.divergence_guard import WARM_UP_STEPS, DivergenceGuard, most_changed
from LightMedSegLib.training.stability.loss_watch import LONG, SHORT, LossWatch
from LightMedSegLib.training.trainer import Trainer

STEPS, WILD = 360, range(220, 230)


def watch(losses) -> LossWatch:
    """A watch that saw losses in portions, as a trainer shows them."""
    found = LossWatch()
    for first in range(0, len(losses), 25):
        found.add(losses[first : first + 25])
        if found.diverged:
            break
    return found


def noisy(count: int, level: float, seed: int = 0) -> list[float]:
    random.seed(seed)
    return [level * random.lognormvariate(0, 0.25) for _ in range(count)]


def test_a_training_with_noise_and_rare_bad_steps_is_healthy():
    losses = [5 * math.exp(-step / 100) + loss for step, loss in enumerate(noisy(2000, 0.68))]
    for step in range(300, 2000, 97):
        losses[step] = 40.0
    losses[700] = math.nan
    found = watch(losses)
    assert not found.diverged
    assert found.healthy


def test_losses_near_zero_may_vary_by_large_factors():
    assert not watch(noisy(500, 0.001) + noisy(500, 0.02)).diverged


@pytest.mark.parametrize("doubling", [20, 400, 2000])
def test_a_climb_is_seen_long_before_the_loss_is_ten_times_as_high(doubling):
    losses = noisy(1000, 0.68) + [
        loss * 2 ** (step / doubling) for step, loss in enumerate(noisy(8 * doubling, 0.68, seed=1))
    ]
    found = watch(losses)
    assert found.diverged
    assert found.median(SHORT) < 6.8


def test_a_run_that_diverges_from_its_first_steps_on_is_seen():
    assert watch([4.0 * 1.05**step for step in range(100)]).diverged


def test_three_losses_that_are_not_finite_are_a_divergence_and_two_are_none():
    assert not watch([1.0] * 10 + [math.nan] * 2).diverged
    assert watch([1.0] * 10 + [math.nan, math.inf, math.nan]).diverged


def test_a_watch_goes_on_from_a_checkpoint():
    first = watch([*noisy(150, 0.7), math.nan])
    second = LossWatch()
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    assert second.state() == first.state()
    second.add(noisy(LONG, 3.0))
    assert second.diverged


def test_every_return_halves_the_rate_after_a_warm_up_and_their_number_is_bounded():
    guard = DivergenceGuard(2, 0, {"weight": torch.zeros(1)})
    for step in range(25, 1001, 25):
        assert guard.look(step, noisy(25, 0.7, step), {"weight": torch.tensor([float(step)])}) is None
    assert guard.rate_factor(1000) == 1
    for count, step in enumerate((1025, 1050), start=1):
        recovery = guard.look(step, [900.0] * 25, {"weight": torch.tensor([math.nan])})
        assert recovery is not None
        assert 400 <= recovery.good <= 800, "some hundred steps before the trouble"
        assert float(guard.good_weights()["weight"]) == recovery.good
        assert guard.rate_factor(step) == pytest.approx(0.5**count / WARM_UP_STEPS)
        assert guard.rate_factor(step + WARM_UP_STEPS) == 0.5**count
    with pytest.raises(TrainingDataError, match=r"diverged after 2 returns .* before step 1075"):
        guard.look(1075, [900.0] * 25, {"weight": torch.zeros(1)})


def test_what_changed_most_comes_first_and_what_is_not_finite_before_it():
    good = {"steady": torch.ones(4), "grown": torch.ones(4), "lost": torch.ones(1), "count": torch.tensor(3)}
    found = {**good, "grown": 50 * torch.ones(4), "steady": 1.1 * torch.ones(4), "lost": torch.tensor([math.nan])}
    assert most_changed(found, good, 2) == "lost (norm 1 to nan), grown (norm 2 to 100)"


def provoked(output, network=None, cancel=None, recoveries: int = 3):
    """A run whose learning rate is absurd for some steps; returns its result and what it reported."""
    lines: list[str] = []

    def rate(settings, step, progress):
        return 30.0 if step in WILD else 5e-3

    run = {"log_interval": 20, "validation_interval": 1000, "recoveries": recoveries}
    settings = configuration(optimizer={"steps": STEPS}, averaging={"decay": 0.95}, run=run)
    cases = prepared_cases(6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer_module, "learning_rate", rate)
        trainer = Trainer(settings, network or tiny_network(), cases[1:], cases[:1], output, CPU, report=lines.append)
        return trainer.train(cancel=cancel), lines


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The whole run with its guard: its folder, its result and what it reported."""
    folder = tmp_path_factory.mktemp("guarded")
    return folder, *provoked(folder)


def last_loss(folder) -> float:
    with (folder / "curves.csv").open() as stream:
        return float([row for row in csv.DictReader(stream) if row["loss"]][-1]["loss"])


def test_a_provoked_divergence_recovers_and_without_the_guard_it_stays(guarded, tmp_path, monkeypatch):
    folder, result, lines = guarded
    (line,) = [line for line in lines if "diverged" in line]
    assert "back to the averaged weights of step" in line
    assert "50 % of the learning rate" in line
    assert "changed most: " in lines[lines.index(line) + 1]
    assert result.score > 0.85
    assert last_loss(folder) < 1
    with (folder / "curves.csv").open() as stream:
        returns = {int(row["step"]): row["returned_to_step"] for row in csv.DictReader(stream)}
    assert [(step in range(WILD.stop, WILD.stop + 50)) for step, good in returns.items() if good] == [True]
    assert (folder / "curves.png").is_file()
    monkeypatch.setattr(LossWatch, "diverged", False)
    unguarded, _ = provoked(tmp_path)
    assert last_loss(tmp_path) > 20 * last_loss(folder)
    assert unguarded.score < result.score - 0.2


def test_a_run_without_returns_left_ends_in_words(tmp_path):
    with pytest.raises(TrainingDataError, match=r"diverged before step 2\d\d \(loss .* lower optimizer.learning_rate"):
        provoked(tmp_path, recoveries=0)
    with (tmp_path / "curves.csv").open() as stream:
        assert int(list(csv.DictReader(stream))[-1]["step"]) >= WILD.start, "the curves show how it came to that"


class _StopAt(CancelToken):
    """Cancels a run after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    @property
    def cancelled(self) -> bool:
        self._left -= 1
        return self._left <= 0


def test_a_run_that_was_stopped_after_a_return_goes_on_with_the_lower_rate(guarded, tmp_path):
    stopped, _ = provoked(tmp_path, cancel=_StopAt(300))
    assert (stopped.finished, stopped.step) == (False, 300)
    rest, lines = provoked(tmp_path, network=tiny_network(seed=9))
    assert rest.finished
    assert not [line for line in lines if "diverged" in line]
    for name, value in guarded[1].weights.items():
        torch.testing.assert_close(rest.weights[name], value, atol=1e-5, rtol=1e-4)


def test_a_run_that_was_stopped_while_it_diverged_unseen_goes_back_to_weights_from_before(tmp_path):
    stopped, lines = provoked(tmp_path, cancel=_StopAt(WILD.start + 5))
    assert not stopped.finished
    assert not [line for line in lines if "diverged" in line]
    result, lines = provoked(tmp_path, network=tiny_network(seed=9))
    (line,) = [line for line in lines if "diverged" in line]
    assert int(line.split("weights of step ")[1].split(",")[0]) < WILD.start
    assert result.score > 0.85


def test_a_batch_that_is_not_finite_costs_one_step_and_no_weights(tmp_path):
    cases = prepared_cases(6)
    settings = configuration(optimizer={"steps": 12}, run={"log_interval": 4})
    trainer = Trainer(settings, tiny_network(), cases, [], tmp_path, CPU, report=lambda line: None)
    make = trainer._batch

    def poisoned(step):
        batch = make(step)
        return dataclasses.replace(batch, images=batch.images * math.nan) if step in (5, 7) else batch

    trainer._batch = poisoned
    result = trainer.train()
    assert result.finished
    assert all(bool(value.isfinite().all()) for value in result.weights.values())
    with (tmp_path / "curves.csv").open() as stream:
        assert all(math.isfinite(float(row["loss"])) for row in csv.DictReader(stream))


def stepped(gradient: float, steps: int = 1) -> tuple[torch.nn.Module, ClippedAdamW]:
    torch.manual_seed(0)
    network = torch.nn.Linear(4, 4)
    optimizer = ClippedAdamW(network, OptimizerSection(weight_decay=0.0, gradient_clip=1.0))
    for _ in range(steps):
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        optimizer.step(0.01)
    return network, optimizer


def test_the_norm_of_all_gradients_is_clipped_together():
    network, _ = stepped(100.0)
    gradients = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
    assert float(gradients.norm()) == pytest.approx(1.0, rel=1e-4)
    network, _ = stepped(0.01)
    assert float(network.weight.grad[0, 0]) == pytest.approx(0.01)


def test_gradients_that_are_not_finite_change_neither_weights_nor_moments():
    network, optimizer = stepped(1.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    moments = {name: value.clone() for name, value in optimizer.tensors().items()}
    network.weight.grad[0, 0] = math.inf
    optimizer.step(0.01)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(torch.equal(moments[name], value) for name, value in optimizer.tensors().items())
    optimizer.reset()
    assert not any(bool(value.any()) for value in optimizer.tensors().values())
