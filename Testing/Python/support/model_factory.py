"""Small valid cards and model packages for tests, with random but seeded weights."""

from __future__ import annotations

import copy
import sys
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pytest

    from LightMedSegLib.model.package import Model

ANATOMY = {"scheme": "SCT", "value": "123037004", "meaning": "Anatomical Structure"}

LOCATED: dict[str, Any] = {
    "largest_extent_mm": [10.0, 10.0, 10.0],
    "locator": {
        "model": "finder",
        "margin_mm": 8.0,
        "sides": [
            {"labels": ["A"], "name": "Left", "code": {"scheme": "SCT", "value": "7771000", "meaning": "Left"}},
            {"labels": ["B"], "name": "Right", "code": {"scheme": "SCT", "value": "24028007", "meaning": "Right"}},
        ],
    },
}
"""The input settings of a model with a locator."""


SMALLEST: dict[str, Any] = {
    "encoder_channels": [8, 16],
    "decoder_channels": [8],
    "router_channels": 8,
    "router_hidden": 8,
}
"""Arguments of a network with every idea of lightmedseg-tiny, and as few layers as it can have."""


def make_labels(count: int) -> list[dict[str, Any]]:
    """Labels 1..count with distinct names and colours."""
    return [
        {
            "value": value,
            "name": f"Structure {value}",
            "color": [(40 * value) % 256, (90 * value) % 256, (150 * value) % 256],
            "terminology": {
                "category": dict(ANATOMY),
                "type": {"scheme": "99TEST", "value": f"T{value}", "meaning": f"Structure {value}"},
                "modifier": None,
                "region": None,
                "region_modifier": None,
            },
        }
        for value in range(1, count + 1)
    ]


def make_card(*, labels: int | list[dict[str, Any]] = 2, channels: int = 1, **changes: Any) -> dict[str, Any]:
    """A valid card as a JSON dict; changes are merged into it key by key (lists are replaced).

    ``make_card(input={"overlap": 0.25}, version="1.2.0")`` keeps all other input settings.
    """
    card: dict[str, Any] = {
        "schema_version": 1,
        "name": "test-model",
        "version": "1.0.0",
        "parent": None,
        "title": "Test model",
        "description": "A model made by the tests.",
        "modality": "MR",
        "body_region": "Head",
        "created": "2026-01-31",
        "input": {
            "channels": [
                {"name": f"Channel {index}", "normalization": {"kind": "zscore", "clip_percentiles": [0.5, 99.5]}}
                for index in range(1, channels + 1)
            ],
            "spacing_mm": [1.0, 1.0, 1.0],
            "orientation": "LPS",
            "patch": [32, 32, 32],
            "view": "windows",
            "overlap": 0.5,
            "background_value": None,
        },
        "network": {"name": "lightmedseg-tiny", "arguments": {}},
        "labels": make_labels(labels) if isinstance(labels, int) else labels,
        "postprocessing": [],
        "test_time_mirroring": [],
        "licenses": {"code": "Apache-2.0", "weights": "CC0-1.0", "data": "CC0-1.0", "data_notice": "Random numbers."},
        "training": {
            "data": "none",
            "cases": {"train": 0, "validation": 0, "test": 0},
            "split_sha256": None,
            "configuration": None,
        },
        "metrics": {},
        "intended_use": "Tests of the program.",
        "limits": "Its weights are random.",
        "weights": {"file": "weights.safetensors", "sha256": "0" * 64, "bytes": 8},
    }
    return merged(card, changes)


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of base with changes laid over it."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def random_tensors(
    network_name: str, channels: int, classes: int, arguments: dict[str, Any], seed: int
) -> dict[str, np.ndarray]:
    """The state of a freshly built network, the same for the same seed."""
    import torch

    from LightMedSegLib.network import build_network

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(network_name, channels, classes, **arguments)
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def make_model(
    folder: Path,
    network_name: str = "lightmedseg-tiny",
    labels: int | list[dict[str, Any]] = 2,
    channels: int = 1,
    *,
    arguments: dict[str, Any] | None = None,
    tensors: dict[str, np.ndarray] | None = None,
    seed: int = 0,
    **changes: Any,
) -> Model:
    """Write a package into folder (which must not exist yet) and load it.

    tensors replaces the random weights; changes go to the card as in :func:`make_card`.
    """
    from LightMedSegLib.model.package import save_model

    arguments = arguments or {}
    card = make_card(
        labels=labels, channels=channels, network={"name": network_name, "arguments": arguments}, **changes
    )
    if tensors is None:
        tensors = random_tensors(network_name, channels, len(card["labels"]) + 1, arguments, seed)
    return save_model(folder, card, tensors)


def use_stub_network(monkeypatch: pytest.MonkeyPatch, total_stride: int = 4) -> None:
    """Replace LightMedSegLib.network by one pointwise convolution, so that results can be predicted by hand."""
    import torch

    class StubNetwork(torch.nn.Module):
        def __init__(self, in_channels: int, num_classes: int) -> None:
            super().__init__()
            self.total_stride = total_stride
            self.head = torch.nn.Conv3d(in_channels, num_classes, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if any(size % self.total_stride for size in x.shape[2:]):
                raise ValueError(f"size {tuple(x.shape[2:])} is no multiple of {self.total_stride}")
            return self.head(x)

    def build_network(name: str, in_channels: int, num_classes: int, **overrides: Any) -> torch.nn.Module:
        if name != "stub" or overrides:
            raise ValueError(f"unknown network {name!r} or arguments {sorted(overrides)}")
        return StubNetwork(in_channels, num_classes)

    module = types.ModuleType("LightMedSegLib.network")
    module.build_network = build_network  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "LightMedSegLib.network", module)
