"""The network of a run: one of ours by name, or a peer network of the benchmarks."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from torch import nn

from LightMedSegLib.core.errors import DependencyError, TrainingDataError
from LightMedSegLib.learning.configuration import TrainingConfiguration

TRAINING_ONLY = "auxiliary_heads."
"""Weights below this name exist for deep supervision alone and are not packaged."""


def build_training_network(configuration: TrainingConfiguration) -> nn.Module:
    """Return the network with initial weights; in training mode it gives logits or a list of them, finest first.

    Raises TrainingDataError for a name or an argument that does not exist, and DependencyError for a peer
    outside a source tree or without its package.
    """
    section = configuration.network
    try:
        if section.peer:
            build = _peer_builder()
            network: nn.Module = build(
                section.peer,
                configuration.in_channels,
                configuration.num_classes,
                deep_supervision=section.deep_supervision,
                **section.arguments,
            )
            return network
        from LightMedSegLib.network import build_network

        return build_network(
            section.name,
            configuration.in_channels,
            configuration.num_classes,
            **{"deep_supervision": section.deep_supervision, **section.arguments},
        )
    except (ValueError, TypeError) as error:
        raise TrainingDataError(f"The [network] section of the configuration cannot be used: {error}") from None


def check_patch(network: nn.Module, patch: tuple[int, int, int]) -> None:
    """Raise TrainingDataError when the patch does not suit the network's total stride."""
    stride = int(getattr(network, "total_stride", 1))
    if any(size % stride for size in patch):
        raise TrainingDataError(f"Each size of input.patch must be a multiple of {stride}, but it is {list(patch)}.")


def _peer_builder() -> Any:
    path = Path(__file__).parents[2] / "Testing" / "Benchmarks" / "peers.py"
    spec = importlib.util.spec_from_file_location("lightmedseg_peers", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise DependencyError("Peer networks can be trained only in a source tree, which has Testing/Benchmarks.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_peer
