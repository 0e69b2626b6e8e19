"""The network recorded for CUDA: which form is chosen, what happens where recording fails, and the same labels."""

from __future__ import annotations

import pytest
import torch

from LightMedSegLib.core.errors import DeviceError
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.network import build_network
from LightMedSegLib.network.cuda.choice import CUDA_PATH_VARIABLE, choose_cuda_path, prepare_for_cuda
from LightMedSegLib.network.cuda.network import RecordedNetwork

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
SHAPE = (32, 48, 32)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("lightmedseg-tiny", 1, 3).eval()


def test_the_environment_variable_chooses_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CUDA_PATH_VARIABLE, raising=False)
    assert isinstance(prepare_for_cuda(network()), RecordedNetwork)
    monkeypatch.setenv(CUDA_PATH_VARIABLE, " Reference ")
    plain = network()
    assert prepare_for_cuda(plain) is plain
    for precision in ("int4", "bfloat16"):
        monkeypatch.setenv(CUDA_PATH_VARIABLE, precision)
        with pytest.raises(DeviceError, match=f"'{precision}' is unknown; use compiled, float16, float32, reference"):
            choose_cuda_path()


def test_a_network_of_another_kind_is_left_alone() -> None:
    other = torch.nn.Conv3d(1, 2, 1)
    assert prepare_for_cuda(other) is other


def test_what_cannot_be_recorded_runs_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def refuse(self: RecordedNetwork, x: torch.Tensor) -> None:
        attempts.append(x.shape)
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(RecordedNetwork, "_record", refuse)
    plain, x = network(), torch.randn(1, 1, *SHAPE)
    recorded = RecordedNetwork(plain, "float32")
    with torch.inference_mode():
        assert torch.equal(recorded(x), plain(x)) and torch.equal(recorded(x), plain(x))
    assert len(attempts) == 1


def test_memory_that_runs_out_while_recording_is_reported_and_recordings_are_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhaust(self: RecordedNetwork, x: torch.Tensor) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(RecordedNetwork, "_record", exhaust)
    recorded = RecordedNetwork(network(), "float32")
    recorded._recordings[(9,)] = object()
    predictor = Predictor(recorded)
    with pytest.raises(torch.cuda.OutOfMemoryError):
        list(predictor.in_batches([torch.zeros(1, *SHAPE).numpy()]))
    assert recorded._recordings == {}


def test_the_last_batch_is_filled_up_and_gives_only_its_own_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def call(self: RecordedNetwork, x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return x.repeat(1, 3, 1, 1, 1)

    monkeypatch.setattr(RecordedNetwork, "__call__", call)
    predictor = Predictor(RecordedNetwork(network(), "float32"))
    predictor.batch = 4
    windows = [torch.full((1, 2, 2, 2), float(number)).numpy() for number in range(6)]
    assert [float(logits[0, 0, 0, 0]) for logits in predictor.in_batches(windows)] == [0, 1, 2, 3, 4, 5]
    assert sizes == [4, 4]


@pytest.mark.parametrize("enabled", [True, False])
def test_on_cuda_convolutions_are_cudnns_and_repeatable(monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    cudnn, seen = torch.backends.cudnn, []

    def call(self: RecordedNetwork, x: torch.Tensor) -> torch.Tensor:
        seen.append((cudnn.enabled, cudnn.deterministic, cudnn.benchmark))
        return x

    monkeypatch.setattr(cudnn, "enabled", enabled)
    monkeypatch.setattr(RecordedNetwork, "__call__", call)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *rest, **more: tensor)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    Predictor(RecordedNetwork(network(), "float32"), "cuda:0")(torch.zeros(1, 1, *SHAPE).numpy())
    assert seen == [(enabled, True, False)]
    assert cudnn.enabled is enabled, "as before"


@needs_cuda
@pytest.mark.parametrize("path", ["float32", "float16", "bfloat16"])
def test_a_recording_gives_the_logits_of_the_network_for_every_new_input(path: str) -> None:
    plain = network().cuda()
    recorded = RecordedNetwork(plain, path)
    for shape in (SHAPE, SHAPE, (48, 32, 32), (32, 32, 32), SHAPE):
        x = torch.randn(2, 1, *shape, device="cuda")
        with torch.inference_mode():
            expected, found = plain(x), recorded(x)
        difference = (found - expected).norm() / expected.norm()
        assert found.dtype is torch.float32
        assert difference < {"float32": 1e-3, "float16": 1e-2, "bfloat16": 5e-2}[path]
    assert not recorded._plain
