"""What the network reads, from a training configuration to the description in a model card."""

from __future__ import annotations

from typing import Any

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.inference.sliding_window.windows import WindowRule
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.model.card import InputSpec
from LightMedSegLib.storage.records import read_record, refused_as

INPUT_DEFAULTS: dict[str, Any] = {"view": "windows", "overlap": 0.5, "background_value": None}
"""What a configuration may leave out of its [input] section."""


def input_spec(configuration: TrainingConfiguration) -> InputSpec:
    """Return the input description that preprocessing reads; raises TrainingDataError for one no card can have."""
    with refused_as(TrainingDataError, "The section [input] of the training configuration"):
        return read_record(InputSpec, {**INPUT_DEFAULTS, **configuration.input})


def window_rule(configuration: TrainingConfiguration, network: Any) -> WindowRule:
    """Return how network goes over volumes: as the engine does with the card that the configuration becomes."""
    stride = int(getattr(network, "total_stride", 1))
    swaps = configuration.augmentation.mirror_label_swaps
    return WindowRule.of(input_spec(configuration), stride, configuration.num_classes, swaps=swaps)


def learnt_labels(configuration: TrainingConfiguration) -> tuple[Label, ...]:
    """Return the labels that a run learns."""
    return tuple(Label.from_json(label) for label in configuration.labels)
