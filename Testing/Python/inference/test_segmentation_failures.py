"""The library's entry point when it is cancelled, runs out of memory, or is asked for what cannot be done."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_stubs import (
    IDENTITY_WINDOW,
    SMALL_PATCH,
    ThresholdNetwork,
    array_of,
    make_image,
    smooth_noise,
    stub_model,
)
from patience import limit
from torch import Tensor, nn

from LightMedSegLib.core.devices import Device
from LightMedSegLib.core.errors import CancelledError, DeviceError, InputImageError, LightMedSegError, ModelPackageError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference import engine as engine_module
from LightMedSegLib.inference.loaded_networks import LoadedNetworks
from LightMedSegLib.inference.segmentation import Engine, segment
from LightMedSegLib.inference.sliding_window import predictor


class SlowNetwork(nn.Module):
    """A hundred layers that take a moment each, and a count of those that were begun."""

    total_stride = 1

    def __init__(self) -> None:
        super().__init__()
        self.started, self.begun = threading.Event(), 0
        self.layers = nn.ModuleList(nn.Identity() for _ in range(100))

    def forward(self, x: Tensor) -> Tensor:
        self.started.set()
        for layer in self.layers:
            self.begun += 1
            time.sleep(0.02)
            x = layer(x)
        return torch.cat([x, -x], dim=1)


def test_cancelling_from_another_thread_ends_the_call_at_the_next_layer() -> None:
    network, token, ended = SlowNetwork(), CancelToken(), []

    def work() -> None:
        with pytest.raises(CancelledError):
            segment(make_image(smooth_noise((16, 16, 16))), stub_model(network, classes=2), "cpu", cancel=token)
        ended.append(network.begun)

    thread = threading.Thread(target=work)
    thread.start()
    assert network.started.wait(limit(10))
    token.cancel()
    begun = network.begun
    thread.join(limit(10))
    assert ended and ended[0] <= begun + 1


def test_after_a_cancelled_call_the_engine_works_on() -> None:
    token = CancelToken()
    engine = Engine(stub_model(), "cpu")
    image = make_image(smooth_noise((12, 12, 12)))
    with pytest.raises(CancelledError):
        engine.segment(image, progress=lambda *report: token.cancel(), cancel=token)
    assert array_of(engine.segment(image)).any()


@pytest.fixture
def small_cuda(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """A make-believe CUDA device without memory for a single window; lists the passes that were tried."""
    tried: list[tuple[str, int]] = []

    class OnTheCpuInTruth(predictor.Predictor):
        def __init__(self, network: nn.Module, device: str, *options: object) -> None:
            super().__init__(network, "cpu", *options)
            self.claimed = device
            self.batch = predictor.CUDA_BATCH if device.startswith("cuda") else 1

        def __call__(self, batch: np.ndarray) -> Tensor:
            tried.append((self.claimed, len(batch)))
            if self.claimed.startswith("cuda"):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 GiB.")
            return super().__call__(batch)

    monkeypatch.setattr(predictor, "Predictor", OnTheCpuInTruth)
    monkeypatch.setattr(engine_module, "select_device", lambda name: Device("cuda:0", "make-believe"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    return tried


def test_when_cuda_runs_out_of_memory_smaller_batches_and_then_the_cpu_are_used_and_said_once(
    small_cuda: list[tuple[str, int]],
) -> None:
    image = make_image(smooth_noise((24, 24, 24)))
    result = segment(image, Engine(stub_model(**SMALL_PATCH), "cuda"))
    assert small_cuda[:4] == [("cuda:0", 4), ("cuda:0", 2), ("cuda:0", 1), ("cpu", 1)]
    assert result.device == "cpu"
    assert result.notes == ["CUDA ran out of memory; the CPU was used."]
    assert set(np.unique(array_of(result))) == {0, 1, 2}


class Failing(nn.Module):
    """Always raises the given error."""

    def __init__(self, error: Exception):
        super().__init__()
        self.error = error

    def forward(self, x: Tensor) -> Tensor:
        raise self.error


def test_when_the_cpu_runs_out_of_memory_the_message_says_what_to_do() -> None:
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
    with pytest.raises(DeviceError, match=r"^The computer ran out of memory; choose a smaller region of interest\.$"):
        segment(make_image(smooth_noise((12, 12, 12))), stub_model(Failing(error)), "cpu")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_the_computers_own_memory_is_not_taken_for_that_of_the_card(error: Exception) -> None:
    tried: list[str] = []

    def work(device: str) -> None:
        tried.append(device)
        raise error

    with pytest.raises(DeviceError, match=r"^The computer ran out of memory; close other programs\.$"):
        LoadedNetworks(stub_model()).on_first_that_works("cuda:0", work, tried.append, "close other programs")
    assert tried == ["cuda:0"]


def test_a_defect_of_the_network_is_not_taken_for_a_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        segment(make_image(smooth_noise((12, 12, 12))), stub_model(Failing(RuntimeError("shapes differ"))), "cpu")


def bad_images() -> dict[str, sitk.Image]:
    array = smooth_noise((8, 9, 10))
    holed, infinite = array.copy(), array.copy()
    holed[3, 3, 3], infinite[3, 3, 3] = np.nan, np.inf
    sheared = make_image(array)
    sheared.SetDirection((1, 0.3, 0, 0, 1, 0, 0, 0, 1))
    return {
        "NaN": make_image(holed),
        "infinite": make_image(infinite),
        "2D": sitk.GetImageFromArray(array[0]),
        "4D": sitk.Image([4, 4, 4, 4], sitk.sitkFloat32),
        "colour": sitk.GetImageFromArray(np.stack([array] * 3, axis=-1), isVector=True),
        "single slice": make_image(array[:1]),
        "right angles": sheared,
        "too coarse": make_image(array, (1.0, 1.0, 50.0)),
    }


@pytest.mark.parametrize("kind", list(bad_images()))
def test_an_unusable_volume_is_refused_before_the_model_is_loaded(kind: str) -> None:
    model = stub_model()
    with pytest.raises(InputImageError, match=kind):
        segment(bad_images()[kind], model, "cpu")
    assert model.built == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overlap": 1.0}, "overlap must be between 0 and 0.9, not 1"),
        ({"overlap": -0.1}, "overlap"),
        ({"overlap": float("nan")}, "overlap"),
        ({"mirror": ("x", "w")}, "'w' is unknown"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_an_impossible_option_is_refused_with_its_value(options: dict[str, object], message: str) -> None:
    with pytest.raises(LightMedSegError, match=message):
        segment(make_image(smooth_noise((8, 8, 8))), stub_model(), "cpu", **options)


def test_an_unknown_device_or_model_is_refused() -> None:
    image = make_image(smooth_noise((8, 8, 8)))
    with pytest.raises(DeviceError, match="'abacus'"):
        segment(image, stub_model(), "abacus")
    with pytest.raises(ModelPackageError, match="no-such-model"):
        segment(image, "no-such-model", "cpu")


def test_threads_are_set_for_the_call_and_restored_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    network = ThresholdNetwork()
    network.register_forward_pre_hook(lambda module, inputs: seen.append(torch.get_num_threads()))
    image = make_image(smooth_noise((12, 12, 12)))
    before = torch.get_num_threads()
    segment(image, stub_model(network, normalization=IDENTITY_WINDOW), "cpu", threads=before + 1)
    assert seen == [before + 1]
    with pytest.raises(RuntimeError):
        segment(image, stub_model(Failing(RuntimeError("x"))), "cpu", threads=before + 1)
    assert torch.get_num_threads() == before
