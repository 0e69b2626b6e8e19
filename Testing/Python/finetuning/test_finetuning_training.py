"""One fine-tuning run: repeatable, resumable, and gentle with what the parent knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finetuning_factory import QUICK, TINY_TASK, corrected_case, tiny_model

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.tuning.forgetting import ParentPull, parameter_groups, rehearses
from LightMedSegLib.finetuning.tuning.new_labels import all_labels, grown_network
from LightMedSegLib.finetuning.tuning.tuner import Tuner
from LightMedSegLib.learning.checkpoint import load_checkpoint, save_checkpoint
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.model.package import Model
from LightMedSegLib.network.head import classes_of_block

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return tiny_model(tmp_path_factory.mktemp("models") / "package")


@pytest.fixture(scope="module")
def case(model: Model) -> PreparedCase:
    return corrected_case(model).prepared(model.card.labels)


def tuner(model: Model, case: PreparedCase, settings: FinetuneSettings = QUICK, rehearsal: int = 0) -> Tuner:
    return Tuner(model.build_network(), [case], [case] * rehearsal, TINY_TASK, settings, CPU)


def finished(run: Tuner) -> dict[str, torch.Tensor]:
    while not run.finished:
        run.advance()
    return run.weights()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(model: Model, case: PreparedCase) -> None:
    first = finished(tuner(model, case))
    assert equal(first, finished(tuner(model, case)))
    assert not equal(first, finished(tuner(model, case, replace(QUICK, seed=1))))


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(
    model: Model, case: PreparedCase, tmp_path: Path, stop_after: int
) -> None:
    settings = replace(QUICK, pull=20.0, rehearsal=0.5, encoder_factor=0.5)
    stopped = tuner(model, case, settings, rehearsal=2)
    for _ in range(stop_after):
        stopped.advance()
    save_checkpoint(tmp_path, stopped.checkpoint())
    resumed = tuner(model, case, settings, rehearsal=2)
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint is not None
    resumed.restore(checkpoint)
    assert resumed.step == stop_after
    assert equal(finished(tuner(model, case, settings, rehearsal=2)), finished(resumed))


def test_a_frozen_encoder_keeps_the_parents_weights_and_the_rest_learns(model: Model, case: PreparedCase) -> None:
    settings = replace(QUICK, encoder_factor=0.0, steps=2)
    run = tuner(model, case, settings)
    checkpointed = run.checkpoint()
    weights, parent = finished(run), model.build_network().state_dict()
    for name, value in weights.items():
        inside = name.startswith(("stem.", "anchor_detector.", "structural_prior.", "encoder."))
        assert not inside or torch.equal(value, parent[name]), name
    assert not torch.equal(weights["head.classify.weight"], parent["head.classify.weight"])
    run.restore(checkpointed)
    assert run.step == 0


def test_the_pull_keeps_the_weights_near_the_parents(model: Model, case: PreparedCase) -> None:
    parent = model.build_network().state_dict()

    def distance(pull: float) -> float:
        weights = finished(tuner(model, case, replace(QUICK, pull=pull)))
        return float(sum((weights[name] - parent[name]).square().sum() for name in weights))

    assert distance(100.0) < 0.5 * distance(0.0)


def test_the_pull_moves_by_its_share_of_the_distance() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(1.0)
    pull = ParentPull(layer, 50.0)
    layer.weight.data.fill_(3.0)
    pull.apply(0.01)
    assert layer.weight.item() == pytest.approx(2.0)
    pull.apply(1.0)
    assert layer.weight.item() == pytest.approx(1.0)


def test_the_pull_leaves_a_new_class_free(model: Model) -> None:
    network = grown_network(model, 4)
    pull = ParentPull(network, 1.0, known_classes=3)
    bias = network.get_parameter("head.classify.bias")
    before = bias.detach().clone()
    bias.data += 1.0
    pull.apply(1.0)
    torch.testing.assert_close(bias.detach() - before, torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(8))


def test_the_encoder_learns_more_slowly_when_asked(model: Model) -> None:
    groups = parameter_groups(model.build_network(), 0.2)
    assert [group["factor"] for group in groups] == [0.2, 1.0]
    assert sum(len(group["params"]) for group in groups) == len(list(model.build_network().parameters()))  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9])
def test_the_asked_share_of_patches_is_rehearsed(share: float) -> None:
    assert sum(rehearses(place, share) for place in range(1000)) == pytest.approx(1000 * share, abs=1)


def test_nothing_reviewed_is_refused(model: Model) -> None:
    with pytest.raises(TrainingDataError, match="No reviewed voxel"):
        Tuner(model.build_network(), [], [], TINY_TASK, QUICK, CPU)


def test_a_new_label_leaves_the_known_ones_as_they_are(model: Model) -> None:
    grown, parent = grown_network(model, 5), model.build_network()
    known = parent.state_dict()
    for name, value in grown.state_dict().items():
        if name.startswith("head.classify."):
            value = classes_of_block(value)[:, :3].flatten(0, 1)
        assert torch.equal(value, known[name]), name
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 16, 16, 16)).astype(np.float32))
    with torch.no_grad():
        before, after = parent(image), grown(image)
    assert after.shape[1] == 5
    torch.testing.assert_close(after[:, :3], before, rtol=1e-5, atol=1e-6)
    assert torch.equal(after.argmax(dim=1), before.argmax(dim=1))


def test_new_labels_of_several_cases_are_told_apart_by_name(model: Model) -> None:
    known = model.card.labels
    records = []
    for names in (("Tumour",), ("Cyst", "tumour")):
        labels = (*known, *(make_label(3 + number, name) for number, name in enumerate(names)))
        record = corrected_case(model).record
        records.append(replace(record, labels=labels, reviewed=tuple(label.value for label in labels)))
    result = all_labels(known, records)
    assert [(label.value, label.name) for label in result[2:]] == [(3, "Tumour"), (4, "Cyst")]


def test_settings_outside_their_range_are_refused_by_name() -> None:
    for content, reason in (
        ({"steps": 0}, "steps"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"colour": 3}, "colour is not known; known are steps, batch"),
        ({"steps": "many"}, "steps must be a whole number, not 'many'"),
        ({"rehearsal": True}, "rehearsal must be a number, not true"),
    ):
        with pytest.raises(TrainingDataError, match=reason):
            FinetuneSettings.from_json(content)
    assert FinetuneSettings.from_json({"learning_rate": 1}).learning_rate == 1.0
    assert FinetuneSettings.from_json(QUICK.to_json()) == QUICK
