"""A model card as text for people."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from LightMedSegLib.cli.tables import format_table
from LightMedSegLib.core.errors import DependencyError

if TYPE_CHECKING:
    from LightMedSegLib.model.card import InputSpec
    from LightMedSegLib.model.package import Model

REFERENCE_CROP = (128, 128, 128)
"""Voxels (z, y, x) on which networks are compared: the paper's 14.64 G are those of 14 classes there."""

_WIDTH = 100


def card_text(model: Model) -> str:
    """The card's content, the network's size and its cost for one patch."""
    card = model.card
    spec = card.input
    mirrored = ", ".join(card.test_time_mirroring) or "none"
    facts = [
        ("Model", f"{card.title} ({card.identifier})"),
        ("Description", card.description),
        *([("Kind", "promptable: it completes what a person marks")] if card.promptable else []),
        ("Made from", f"{card.parent.name}@{card.parent.version}" if card.parent else "scratch"),
        ("Created", card.created),
        ("Input", f"{card.modality}, {card.body_region}; {', '.join(channel.name for channel in spec.channels)}"),
        ("Grid", f"{_by(spec.spacing)} mm (x, y, z), {spec.orientation}"),
        ("Patch", f"{_by(spec.patch)} voxels (z, y, x), {spec.view}, overlap {spec.overlap:g}, mirrored: {mirrored}"),
        *_optional_facts(spec),
        (
            "Network",
            f"{card.network.name} {json.dumps(card.network.arguments) if card.network.arguments else ''}".strip(),
        ),
        *_cost(model),
        ("Weights", f"{card.weights.bytes / 1e6:.2f} MB, SHA-256 {card.weights.sha256}"),
        ("Trained on", f"{card.training['data']} ({_cases(card.training['cases'])})"),
        *[("Licence", f"{key.replace('_', ' ')}: {text}") for key, text in card.licenses.items()],
        ("Intended use", card.intended_use),
        ("Limits", card.limits),
    ]
    labels = format_table(
        ["Value", "Segment", "Colour", "Type"],
        [
            [str(one.value), one.name, "#{:02x}{:02x}{:02x}".format(*one.color), one.terminology.type.meaning]
            for one in card.labels
        ],
    )
    parts = ["\n".join(_fact(name, text) for name, text in facts), labels]
    if card.metrics:
        parts.append("Metrics\n" + json.dumps(card.metrics, indent=2))
    return "\n\n".join(parts)


def _optional_facts(spec: InputSpec) -> list[tuple[str, str]]:
    facts = []
    if spec.preview_spacing is not None:
        facts.append(("Preview", f"at {_by(spec.preview_spacing)} mm (x, y, z)"))
    if spec.largest_extent is not None:
        larger = f"{spec.locator.model} finds the places" if spec.locator else "give a region"
        facts.append(("Made for", f"volumes of up to {_by(spec.largest_extent)} mm (x, y, z); in larger ones {larger}"))
    return facts


def _cost(model: Model) -> list[tuple[str, str]]:
    """Parameters, and multiply-adds of one pass over the patch and over the crop of REFERENCE_CROP."""
    try:
        network = model.build_network()
    except DependencyError as error:
        return [("Parameters", f"unknown: {error}")]
    from LightMedSegLib.network.complexity import count_multiply_adds, count_parameters

    stride = network.total_stride
    assert isinstance(stride, int)
    patch = tuple(-(-n // stride) * stride for n in model.card.input.patch)
    costs = []
    for size in dict.fromkeys((patch, REFERENCE_CROP)):
        operations = count_multiply_adds(network, (1, model.card.in_channels, *size))
        costs.append(f"{operations / 1e9:.2f} G for a patch of {_by(size)}")
    return [("Parameters", f"{count_parameters(network) / 1e6:.3f} M"), ("Multiply-adds", "; ".join(costs))]


def _fact(name: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"{name:<14}", subsequent_indent=" " * 14, break_long_words=False)


def _by(numbers: Any) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _cases(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{count} {part}" for part, count in counts.items())
