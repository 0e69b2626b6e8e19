"""On a CUDA device: recorded and prefetched batches, and a recorded run that diverges and recovers."""

from __future__ import annotations

import pytest
import torch
from synthesis_factory import SECTION, head_case, settings
from training_factory import configuration, prepared_cases, tiny_network

from LightMedSegLib.learning.augmentation.batches import AugmentedBatchSource
from LightMedSegLib.learning.case_stack import stack_cases
from LightMedSegLib.training import trainer as trainer_module
from LightMedSegLib.training.synthesis.images import SyntheticBatchSource
from LightMedSegLib.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
CUDA = torch.device("cuda", 0)


def sources():
    synthetic = settings({**SECTION, "noise_probability": 1.0, "lesion_probability": 1.0})
    real = configuration(augmentation={"elastic_probability": 1.0, "noise_probability": 1.0})
    heads = stack_cases([head_case(), head_case("other")], synthetic.num_classes, CUDA)
    yield lambda: SyntheticBatchSource(heads, synthetic)
    yield lambda: AugmentedBatchSource(stack_cases(prepared_cases(4), 3, CUDA), real)


@pytest.mark.parametrize("number", [0, 1], ids=["synthetic", "real"])
def test_recorded_batches_are_those_that_are_made_in_turn(number):
    make = list(sources())[number]
    plain, recorded = make(), make()
    recorded.record(2)
    for step in (5, 6, 5):
        expected, found = plain.batch(step, [0, 1]), recorded.batch(step, [0, 1])
        torch.testing.assert_close(found.images, expected.images, atol=1e-4, rtol=1e-4)
        assert torch.equal(found.labels, expected.labels)
        assert torch.equal(found.labelled, expected.labelled)


def run(folder, **run_section):
    chosen = configuration(
        optimizer={"steps": 360},
        averaging={"decay": 0.95},
        run={"log_interval": 20, "precision": "float32", **run_section},
    )
    lines: list[str] = []
    cases = prepared_cases(6)
    torch.manual_seed(0)
    result = Trainer(chosen, tiny_network(), cases[1:], cases[:1], folder, CUDA, report=lines.append).train()
    return result, lines


def test_batches_made_ahead_train_the_network_as_batches_made_in_turn(tmp_path):
    ahead, _ = run(tmp_path / "ahead", validation_interval=1000, prefetch=True)
    in_turn, _ = run(tmp_path / "turn", validation_interval=1000, cuda_graph=False)
    assert ahead.score == pytest.approx(in_turn.score, abs=0.05)


def test_a_recorded_run_that_diverges_recovers(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module, "learning_rate", lambda _, step, progress: 30.0 if 220 <= step < 230 else 5e-3)
    result, lines = run(tmp_path, validation_interval=1000)
    assert len([line for line in lines if "diverged" in line]) == 1
    assert result.score > 0.85
