"""The locator of a model: another model that finds where its structures lie in a larger volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from LightMedSegLib.core.labels import Code, Label
from LightMedSegLib.core.records.item_types import Line, ModelName
from LightMedSegLib.core.records.limits import Limits

Margin = Annotated[float, Limits(minimum=0, maximum=200)]


@dataclass(frozen=True)
class Side:
    """One place of the structures in the body.

    labels: names of the locator's labels there. name and code: the side's, such as "Left", which names and codes of the
    model's labels get; None for a model whose structures exist once. mirrored: whether the network sees the mirror
    image, left and right exchanged, because it was trained on the other side.
    """

    labels: Annotated[tuple[Line, ...], Limits(minItems=1, maxItems=16)]
    name: Line | None = field(default=None, metadata={"omit_empty": True})
    code: Code | None = field(default=None, metadata={"omit_empty": True})
    mirrored: bool = False


@dataclass(frozen=True)
class Locator:
    """How a volume that is larger than the model was made for is segmented.

    model: name of the model that finds the places. margin_mm: room around what it finds, as around the structures in
    training. sides: each is segmented on its own.
    """

    model: ModelName
    margin_mm: Margin
    sides: Annotated[tuple[Side, ...], Limits(minItems=1, maxItems=16)]


def exceeds(lengths_mm: Sequence[float], largest_mm: Sequence[float] | None) -> bool:
    """Whether a volume is larger than the largest one, whatever the order of its axes; never where largest is None."""
    if largest_mm is None:
        return False
    return any(length > limit for length, limit in zip(sorted(lengths_mm), sorted(largest_mm), strict=True))


def side_labels(labels: Sequence[Label], side: Side) -> tuple[Label, ...]:
    """The model's labels, with their values, under the name and the code of a side.

    The code is the modifier of the region, because the modifier of the type may be in use.
    """
    return tuple(_on_side(label, side) for label in labels)


def _on_side(label: Label, side: Side) -> Label:
    name, terms = label.name, label.terminology
    if side.name is not None:
        # "CSF" keeps its capitals.
        first = name[0].lower() if name[1:2].islower() else name[0]
        name = f"{side.name} {first}{name[1:]}"
    if side.code is not None:
        terms = replace(terms, region=terms.region or terms.type, region_modifier=side.code)
    return replace(label, name=name, terminology=terms)
