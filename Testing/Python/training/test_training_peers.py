"""The peer networks of the benchmarks have the interface of ours."""

from __future__ import annotations

import pytest
import torch
from training_factory import configuration

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.training.networks import build_training_network

torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def _monai() -> None:
    """Only where these tests run: its import takes every process seconds."""
    pytest.importorskip("monai")


def test_dynunet_is_set_as_nnunet_and_supervises_every_level_but_the_two_deepest():
    network = build_training_network(configuration(network={"peer": "dynunet"}))
    assert 5.4e6 < sum(parameter.numel() for parameter in network.parameters()) < 5.8e6
    kinds = {type(module).__name__ for module in network.modules()}
    assert {"InstanceNorm3d", "LeakyReLU", "ConvTranspose3d"} <= kinds
    volume = torch.randn(1, 1, 16, 16, 16)
    outputs = network.train()(volume)
    assert [tuple(output.shape) for output in outputs] == [(1, 3, 16, 16, 16)] * 3
    with torch.no_grad():
        assert network.eval()(volume).shape == (1, 3, 16, 16, 16)


def test_widths_can_be_chosen_and_deep_supervision_turned_off():
    arguments = {"filters": [8, 16, 32]}
    small = configuration(network={"peer": "dynunet", "arguments": arguments, "deep_supervision": False})
    network = build_training_network(small).train()
    assert isinstance(network(torch.randn(1, 1, 16, 16, 16)), torch.Tensor)


def test_weights_are_kept_once_and_come_back():
    first, second = (build_training_network(configuration(network={"peer": "dynunet"})).eval() for _ in range(2))
    tensors = first.state_dict()
    assert sum(value.numel() for value in tensors.values()) == sum(value.numel() for value in first.parameters())
    second.load_state_dict(tensors)
    volume = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(first(volume), second(volume))
    with pytest.raises(RuntimeError, match="do not fit"):
        second.load_state_dict({})


def test_segresnet_has_one_output_in_training_too():
    network = build_training_network(configuration(network={"peer": "segresnet"})).train()
    assert 4.6e6 < sum(parameter.numel() for parameter in network.parameters()) < 4.8e6
    assert network(torch.randn(1, 1, 16, 16, 16)).shape == (1, 3, 16, 16, 16)


def test_an_unknown_peer_is_refused():
    with pytest.raises(TrainingDataError, match="unknown-net"):
        build_training_network(configuration(network={"peer": "unknown-net"}))
