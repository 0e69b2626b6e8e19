"""The promptable network on a device: loading, turns, cancelling, refusals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from model_factory import make_model
from promptable_factory import make_promptable

from LightMedSegLib.core.errors import CancelledError, DeviceError, ModelPackageError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.predictor import Predictor
from LightMedSegLib.interaction import edges
from LightMedSegLib.interaction.completer import Completer
from LightMedSegLib.interaction.edges import by_edges, prompts_on
from LightMedSegLib.interaction.encoding import normalize_window, with_prompts
from LightMedSegLib.interaction.window import View
from LightMedSegLib.model.package import Model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return make_promptable(tmp_path_factory.mktemp("promptable") / "interactive")


def window(seed: int = 0) -> View:
    """A new object after several prompts."""
    random = np.random.default_rng(seed)
    image = random.normal(100, 20, (96, 96, 96)).astype(np.float32)
    present, include, exclude = np.zeros((3, 96, 96, 96), dtype=np.float32)
    present[30:60, 30:60, 30:60] = 1
    include[60:64, 40:44, 40:44] = 1
    exclude[28:30, 40:44, 40:44] = 0.8
    return View(image, present > 0, include, exclude, (slice(0, 96), slice(0, 96), slice(0, 90)))


@pytest.mark.parametrize("first, share", [(True, Completer.edge_shares[0]), (False, Completer.edge_shares[1])])
def test_a_new_object_is_a_mean_of_network_and_edges(model: Model, first: bool, share: float) -> None:
    view = replace(window(), first=first)
    found = Completer(model, "cpu").probability(view)
    network, walk = parts(model, view)
    assert found.dtype == np.float32 and found.shape == (96, 96, 96)
    assert np.allclose(found, share * walk + (1 - share) * network, atol=1e-3)


@pytest.mark.parametrize("paints, agreed", [(True, np.minimum), (False, np.maximum)])
def test_a_correction_changes_what_network_and_edges_agree_on(
    model: Model, paints: bool, agreed: Callable[..., np.ndarray]
) -> None:
    view = window()
    view = replace(view, paints=paints, drawn=view.include > 0)
    assert np.allclose(Completer(model, "cpu").probability(view), agreed(*parts(model, view)), atol=1e-3)


def parts(model: Model, view: View) -> tuple[np.ndarray, np.ndarray]:
    """What the network and the edges say."""
    prompts = prompts_on(view, "cpu")
    with torch.inference_mode():
        normal = normalize_window(torch.from_numpy(view.image)[None, None])
        walk = by_edges(normal, prompts, view)
        channels = with_prompts(normal, prompts.present.float(), prompts.include, prompts.exclude, walk)
        return model.build_network().eval()(channels).softmax(dim=1)[0, 1].numpy(), walk[0, 0].numpy()


def test_the_network_is_loaded_by_the_first_call_and_once(model: Model) -> None:
    with mock.patch.object(Model, "build_network", autospec=True, side_effect=Model.build_network) as build:
        completer = Completer(model, "cpu")
        assert not build.called
        completer.warm_up()
        completer.probability(window())
        assert build.call_count == 1


def test_calls_from_several_threads_take_turns_and_agree(model: Model) -> None:
    completer, results = Completer(model, "cpu"), {}
    threads = [
        threading.Thread(target=lambda n=number: results.update({n: completer.probability(window(n % 2))}))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(results[0], results[2]) and np.array_equal(results[1], results[3])
    assert not np.array_equal(results[0], results[1])


def test_a_cancelled_call_loads_nothing(model: Model) -> None:
    token = CancelToken()
    token.cancel()
    with mock.patch.object(Model, "build_network") as build, pytest.raises(CancelledError):
        Completer(model, "cpu").warm_up(token)
    assert not build.called


def test_a_call_ends_soon_after_it_is_cancelled(model: Model) -> None:
    token, steps = CancelToken(), []
    completer = Completer(model, "cpu")
    completer.warm_up()

    def look(self: CancelToken) -> None:
        steps.append(1)
        if len(steps) == 4:
            self.cancel()
        if self.cancelled:
            raise CancelledError("Cancelled.")

    with mock.patch.object(CancelToken, "raise_if_cancelled", look), pytest.raises(CancelledError):
        completer.probability(window(), cancel=token)
    assert len(steps) == 4


def test_every_channel_is_copied_to_the_device_once(model: Model) -> None:
    view = window()
    with mock.patch.object(edges, "on_device", wraps=edges.on_device) as copy:
        for seen in (view, replace(view, drawn=view.include > 0)):
            copy.reset_mock()
            Completer(model, "cpu").probability(seen)
            copied = [id(call.args[0]) for call in copy.call_args_list]
            assert len(copied) == len(set(copied)) == 5, "image, mask, two prompts, and the inside or the stroke"


def test_a_device_without_memory_gives_way_to_the_cpu_for_good_and_one_note_says_so(model: Model) -> None:
    completer, real, to = Completer(model, "cpu"), Predictor.__call__, torch.Tensor.to
    tried: list[str] = []

    def out_of_memory(self: Predictor, batch: torch.Tensor) -> torch.Tensor:
        tried.append(self.device)
        if self.device != "cpu":
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return real(self, batch)

    expected = completer.probability(window())
    with (
        mock.patch(
            "LightMedSegLib.interaction.completer.select_device", return_value=mock.Mock(**{"name": "x"})
        ) as device,
        mock.patch.object(Predictor, "__call__", out_of_memory),
        mock.patch.object(torch.Tensor, "to", lambda self, *a: self if a == ("mps",) else to(self, *a)),
    ):
        device.return_value.name = "mps"
        completer._networks.built["mps"] = completer._networks.on("cpu")
        found = completer.probability(window())
        assert tried == ["mps", "cpu"]
        assert np.array_equal(completer.probability(window()), found)
    assert np.array_equal(found, expected)
    assert tried == ["mps", "cpu", "cpu"], "another attempt would take as long and fail again"
    assert completer.notes == ["The Apple GPU ran out of memory; the CPU was used."]


def test_other_models_and_devices_are_refused_in_words(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelPackageError, match="takes no prompts; choose a promptable model"):
        Completer(make_model(tmp_path / "plain"), "cpu").warm_up()
    with pytest.raises(ModelPackageError, match="no-such-model"):
        Completer("no-such-model", "cpu").warm_up()
    with pytest.raises(DeviceError, match="unknown"):
        Completer(model, "abacus").warm_up()
