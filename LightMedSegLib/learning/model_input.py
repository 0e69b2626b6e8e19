"""What the network reads, from a training configuration to the description in a model card."""

from __future__ import annotations

from typing import Any

from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.model.card import Channel, InputSpec

INPUT_DEFAULTS: dict[str, Any] = {"view": "windows", "overlap": 0.5, "background_value": None}
"""What a configuration may leave out of its [input] section."""


def input_spec(configuration: TrainingConfiguration) -> InputSpec:
    """Return the input description that preprocessing reads."""
    content = {**INPUT_DEFAULTS, **configuration.input}
    x, y, z = content["spacing_mm"]
    return InputSpec(
        channels=tuple(Channel(channel["name"], dict(channel["normalization"])) for channel in content["channels"]),
        spacing=(float(x), float(y), float(z)),
        orientation=content["orientation"],
        patch=configuration.patch,
        view=content["view"],
        overlap=float(content["overlap"]),
        background_value=content["background_value"],
    )
