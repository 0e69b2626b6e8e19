"""The forms of a network behind one protocol: what inference asks of each, and that it asks nothing else."""

from __future__ import annotations

import pytest
import torch
from engine_stubs import RandomNetwork, smooth_noise
from torch import Tensor

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.pass_steps import PassSteps
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.network import build_network
from LightMedSegLib.network.backend import Backend, ModuleBackend, Step, StreamingBackend, as_backend
from LightMedSegLib.network.cpu import FastLightMedSeg
from LightMedSegLib.network.cuda.network import RecordedNetwork


def tiny() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network("lightmedseg-tiny", 1, 3).eval()


def forms() -> dict[str, Backend]:
    network = tiny()
    recorded = RecordedNetwork(network, "float32")
    recorded._plain = True
    return {"modules": ModuleBackend(network), "fast": FastLightMedSeg(network), "recorded": recorded}  # type: ignore[arg-type, dict-item]


def test_every_form_is_a_backend_and_modules_become_one() -> None:
    for form in forms().values():
        assert isinstance(form, Backend) and as_backend(form) is form
        assert form.total_stride == tiny().total_stride
    assert {name: isinstance(form, StreamingBackend) for name, form in forms().items()} == {
        "modules": False,
        "fast": True,
        "recorded": False,
    }
    network = RandomNetwork()
    assert not isinstance(network, Backend) and as_backend(network).total_stride == network.total_stride


@pytest.mark.parametrize("name", forms())
def test_every_form_gives_the_logits_of_the_network_and_takes_steps(name: str) -> None:
    form, x, steps = forms()[name], torch.from_numpy(smooth_noise((16, 32, 16)))[None, None] / 50 - 2, []
    with torch.inference_mode():
        expected = tiny()(x)
        found = form.logits(x, lambda: steps.append(1)).clone()
        assert found.dtype is torch.float32 and found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
        form.end_volume()
        assert torch.equal(form.logits(x, lambda: None), found)
        form.release()
        assert torch.equal(form.logits(x, lambda: None), found)
    assert steps


@pytest.mark.parametrize("name", forms())
def test_every_form_can_be_cancelled(name: str) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledError):
        Predictor(forms()[name], cancel=cancel)(torch.zeros(1, 1, 16, 16, 16).numpy())


class Overwriting:
    """A backend whose logits all lie in the same memory, as those of a recording do."""

    total_stride, same_batch, explanation = 1, False, ""

    def __init__(self) -> None:
        self.steps, self.memory, self.released = PassSteps(), torch.empty(1, 2, 4, 4, 4), 0

    def logits(self, x: Tensor, step: Step) -> Tensor:
        step()
        self.memory[:, 0], self.memory[:, 1] = x[:, 0], torch.arange(4) * x[:, 0]
        return self.memory

    def end_volume(self) -> None:
        pass

    def release(self) -> None:
        self.released += 1


def test_mirror_images_are_averaged_although_each_overwrites_the_last() -> None:
    x = torch.arange(64.0).reshape(1, 1, 4, 4, 4)
    found = Predictor(Overwriting(), mirror=("x",))(x.numpy())
    assert torch.equal(found[:, 0], x[:, 0])
    assert torch.equal(found[:, 1], x[:, 0] * 1.5), "the mean of arange(4) and its mirror image"


def test_memory_that_runs_out_is_asked_back_from_every_form() -> None:
    class Exhausted(Overwriting):
        def logits(self, x: Tensor, step: Step) -> Tensor:
            if len(x) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return super().logits(x, step)

    backend = Exhausted()
    predictor = Predictor(backend)
    predictor.batch = 4
    windows = [torch.full((1, 4, 4, 4), float(number)).numpy() for number in range(3)]
    assert [float(logits[0, 0, 0, 0]) for logits in predictor.in_batches(windows)] == [0, 1, 2]
    assert backend.released == 2
