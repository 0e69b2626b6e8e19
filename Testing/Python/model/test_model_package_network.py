"""The network that a model package describes, built with the package's weights."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damaged_packages import TENSORS
from model_factory import make_model, use_stub_network
from paths import REPOSITORY

from LightMedSegLib.core.errors import DependencyError, ModelPackageError
from LightMedSegLib.model.package import Model, export_zip, load_model


def test_the_network_is_built_in_evaluation_mode_with_these_weights(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stub_network(monkeypatch)
    network = model.build_network()
    assert not network.training
    for name, tensor in network.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), TENSORS[name])


def test_half_precision_weights_are_loaded_as_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_stub_network(monkeypatch)
    halves = {name: array.astype(np.float16) for name, array in TENSORS.items()}
    state = make_model(tmp_path / "m", "stub", tensors=halves).build_network().state_dict()
    assert {str(tensor.dtype) for tensor in state.values()} == {"torch.float32"}
    np.testing.assert_array_equal(state["head.bias"].numpy(), TENSORS["head.bias"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head.bias": None}, "tensor 'head.bias' is missing"),
        ({"tail.bias": np.zeros(1, np.float32)}, "tensor 'tail.bias' is unknown"),
        ({"head.bias": np.zeros(4, np.float32)}, "tensor 'head.bias' has shape (4,) instead of (3,)"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    use_stub_network(monkeypatch)
    tensors = {name: array for name, array in {**TENSORS, **changes}.items() if array is not None}
    model = make_model(tmp_path / "m", "stub", tensors=tensors)
    with pytest.raises(ModelPackageError) as caught:
        model.build_network()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "arguments"), [("unheard-of", {}), ("lightmedseg-tiny", {"wings": 2})])
def test_a_network_that_this_program_lacks_is_named(tmp_path: Path, name: str, arguments: dict[str, Any]) -> None:
    model = make_model(tmp_path / "m", name, arguments=arguments, tensors=TENSORS)
    with pytest.raises(ModelPackageError, match=f"test-model@1.0.0 needs the network '{name}'.*cannot build") as caught:
        model.build_network()
    assert not str(caught.value).endswith("..")


def test_a_card_that_asks_for_a_huge_network_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from LightMedSegLib import network

    built = []

    def build_network(*arguments: Any, **overrides: Any) -> Any:
        built.append(real(*arguments, **overrides))
        return built[-1]

    real = network.build_network
    monkeypatch.setattr(network, "build_network", build_network)
    arguments = {"encoder_channels": [1024] * 8, "decoder_channels": [1024] * 7}
    with pytest.raises(ModelPackageError, match="the weights do not fit the network"):
        make_model(tmp_path / "huge", arguments=arguments, tensors=TENSORS).build_network()
    assert {parameter.device.type for parameter in built[0].parameters()} == {"meta"}
    assert len(built) == 1


def test_without_torch_the_network_asks_for_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match="PyTorch is not installed"):
        model.build_network()


def test_a_real_network_gives_the_same_output_after_the_package(tmp_path: Path) -> None:
    import torch

    torch.set_num_threads(1)
    first = make_model(tmp_path / "a", labels=2, channels=2, seed=5)
    second = make_model(tmp_path / "b", labels=2, channels=2, seed=5)
    other = make_model(tmp_path / "c", labels=2, channels=2, seed=6)
    assert first.card.weights == second.card.weights
    assert first.card.weights != other.card.weights
    network = first.build_network()
    assert not network.training
    volume = torch.zeros(1, 2, 16, 32, 16)
    with torch.inference_mode():
        expected = network(volume)
        assert expected.shape == (1, 3, 16, 32, 16)
        assert torch.equal(load_model(export_zip(second, tmp_path / "b.zip")).build_network()(volume), expected)
        assert not torch.equal(other.build_network()(volume), expected)


def test_a_network_is_built_without_pytorchs_compiler() -> None:
    """To import the compiler takes as long as to read and check a model several times."""
    code = (
        "import sys, torch; from LightMedSegLib.model.store import resolve_model; before = set(sys.modules); "
        "resolve_model('headneck-oar-ct').build_network(); print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True)
    assert "LightMedSegLib.network" in done.stdout
    assert "torch.fx.experimental" not in done.stdout
