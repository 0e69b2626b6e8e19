"""The LightMedSeg network: named configurations and how to build them."""

from __future__ import annotations

from typing import Any

from LightMedSegLib.network.configuration import (
    CONFIGURATIONS,
    NetworkConfiguration,
    configuration_as_dict,
    network_configuration,
)
from LightMedSegLib.network.lightmedseg import LightMedSeg

__all__ = [
    "CONFIGURATIONS",
    "LightMedSeg",
    "NetworkConfiguration",
    "build_network",
    "configuration_as_dict",
    "network_configuration",
]


def build_network(name: str, in_channels: int, num_classes: int, **overrides: Any) -> LightMedSeg:
    """Build the named network with fresh weights.

    Args:
        name: "lightmedseg", or another key of CONFIGURATIONS.
        in_channels: number of input channels (volumes), at least 1.
        num_classes: number of classes including background, at least 2.
        overrides: fields of NetworkConfiguration to change, for example film=False.

    Raises ValueError for an unknown name, an unknown setting, or impossible counts.
    """
    if in_channels < 1 or num_classes < 2:
        raise ValueError(
            f"A network needs at least one input channel and two classes, got {in_channels} and {num_classes}."
        )
    return LightMedSeg(in_channels, num_classes, network_configuration(name, overrides))
