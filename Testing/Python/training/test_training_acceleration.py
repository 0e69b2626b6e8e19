"""When a step is recorded and compiled, and what a run says where that fails."""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch
from training_factory import CPU, configuration, prepared_cases, tiny_network

from LightMedSegLib.learning.augmentation.batches import AugmentedBatchSource
from LightMedSegLib.learning.case_stack import stack_cases
from LightMedSegLib.learning.configuration import LossSection
from LightMedSegLib.learning.losses import SegmentationLoss
from LightMedSegLib.learning.schedule import remaining_seconds, spoken_duration
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cuda.kept import compiled_folder
from LightMedSegLib.training.acceleration import cuda_graph
from LightMedSegLib.training.acceleration import step as acceleration

FILES = "TORCHINDUCTOR_CACHE_DIR"


@pytest.fixture
def device(monkeypatch):
    """A machine with Triton, on which one step takes 0.1 s; the list of what was recorded (True: compiled)."""
    recorded: list[bool] = []

    def record(network, loss, shape, bf16, device, compiled=False):
        recorded.append(compiled)
        return lambda *batch: batch

    monkeypatch.setattr(acceleration, "record_step", record)
    monkeypatch.setattr(acceleration, "_seconds_per_step", lambda *arguments: 0.1)
    monkeypatch.setattr(acceleration, "_clean_up", lambda device: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    # Set before it is deleted, so that it is deleted again at the end.
    monkeypatch.setenv(FILES, "")
    monkeypatch.delenv(FILES)
    return recorded


def chosen(run=None, step=0, seconds=0.0, **optimizer):
    lines: list[str] = []
    settings = configuration(optimizer=optimizer, run=run or {})
    place = (CPU, step, seconds, lines.append)
    return acceleration.accelerated_step(tiny_network(), torch.nn.Identity(), settings, *place), lines


def test_a_long_run_is_compiled_and_a_short_one_is_not(device):
    chosen(steps=3001)
    chosen(steps=2999)
    chosen(steps=9000, step=6500)
    chosen(steps=9000, budget_seconds=299.0)
    chosen(steps=9000, budget_seconds=900.0, seconds=700.0)
    chosen(steps=9000, budget_seconds=900.0, seconds=100.0)
    assert device == [True, False, False, False, False, True]


def test_compiling_can_be_asked_for_and_ruled_out(device):
    chosen(run={"compile": True}, steps=10)
    chosen(run={"compile": False}, steps=90000)
    assert device == [True, False]


def test_the_compilers_files_lie_where_only_the_user_can_write(device, monkeypatch):
    chosen(run={"compile": False}, steps=10)
    assert FILES not in os.environ
    chosen(run={"compile": True}, steps=10)
    assert os.environ[FILES] == str(compiled_folder() / "training" / "inductor")
    assert compiled_folder().stat().st_mode & 0o077 == 0 or os.name != "posix"
    monkeypatch.setenv(FILES, "the user's")
    chosen(run={"compile": True}, steps=10)
    assert os.environ[FILES] == "the user's"


def test_without_triton_nothing_is_compiled_by_itself(device, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    chosen(steps=90000)
    assert device == [False]


def test_a_step_that_cannot_be_compiled_is_recorded_and_says_why(device, monkeypatch):
    def record(network, loss, shape, bf16, device, compiled=False):
        if compiled:
            raise ValueError("no compiler\nat line 7")
        return lambda *batch: batch

    monkeypatch.setattr(acceleration, "record_step", record)
    step, lines = chosen(steps=90000)
    assert step is not None
    assert lines[-1] == "The training step cannot be compiled: no compiler"


def test_a_step_that_cannot_be_recorded_at_all_is_carried_out_plainly(device, monkeypatch):
    def record(*arguments):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(acceleration, "record_step", record)
    step, lines = chosen(run={"compile": False}, steps=10)
    assert step is None
    assert lines == ["The training step cannot be captured as a CUDA graph: out of memory"]


def test_a_source_that_cannot_be_recorded_says_so_and_makes_the_same_batches():
    source, plain = (AugmentedBatchSource(stack_cases(prepared_cases(3), 3, CPU), configuration()) for _ in range(2))
    lines: list[str] = []
    acceleration.record_batches(source, 2, lines.append)
    (line,) = lines
    assert line.startswith("The making of batches cannot be captured as a CUDA graph: ")
    assert torch.equal(source.batch(3, [0, 1]).images, plain.batch(3, [0, 1]).images)


def test_the_remaining_time_follows_the_pace_and_the_budget():
    settings = configuration(optimizer={"steps": 100}).optimizer
    assert remaining_seconds(settings, 40, 10.0, 0.5) == 30
    settings = configuration(optimizer={"steps": 100, "budget_seconds": 20.0}).optimizer
    assert remaining_seconds(settings, 40, 10.0, 0.5) == 10
    assert remaining_seconds(settings, 40, 25.0, 0.5) == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.4, "8 s"), (89, "89 s"), (90, "2 min"), (3500, "58 min"), (11100, "3 h 05 min")]
)
def test_a_duration_is_said_as_a_person_says_it(seconds, text):
    assert spoken_duration(seconds) == text


def test_a_compiled_step_rounds_where_the_plain_one_does(monkeypatch):
    """Otherwise gradients are wrong where logits are large."""
    # Not above: every process that collects tests would import PyTorch's compiler.
    import torch._inductor.config as inductor

    asked = {}

    def compile_for(module, dynamic, options):
        asked.update(options)
        return module

    monkeypatch.setattr(torch, "compile", compile_for)
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda step, sample: step)
    cuda_graph.record_step(tiny_network(), SegmentationLoss(LossSection(), 3), (1, 1, 16, 16, 16), True, CPU, True)
    assert asked == {"emulate_precision_casts": True}
    assert all(hasattr(inductor, name) for name in asked)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_compiled_step_has_the_gradients_of_a_plain_one_where_logits_are_large():
    device, shape = torch.device("cuda", 0), (2, 1, 32, 32, 32)
    networks = []
    for compiled in (False, True):
        torch.manual_seed(0)
        network = build_network("lightmedseg", 1, 3, deep_supervision=True).to(device).train()
        with torch.no_grad():
            for head in network.auxiliary_heads:
                head.weight.mul_(300)
        loss = SegmentationLoss(LossSection(deep_supervision_weights=(1.0, 0.5, 0.25, 0.125)), 3).to(device)
        step = cuda_graph.record_step(network, loss, shape, True, device, compiled)
        torch.manual_seed(1)
        step(*cuda_graph.step_sample(shape, loss, device))[0].backward()
        networks.append(network)
    for (name, one), other in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
        if name.startswith("auxiliary_heads") and one.dim() > 1:
            likeness = torch.cosine_similarity(one.grad.flatten(), other.grad.flatten(), 0)
            assert likeness > 0.98, name
