"""Labels: the name, colour and coded terminology of a label value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from LightMedSegLib.core.records.item_types import CodePart, LabelValue, Line
from LightMedSegLib.core.records.limits import Limits

Intensity = Annotated[int, Limits(minimum=0, maximum=255)]
Color = tuple[Intensity, Intensity, Intensity]
"""Red, green, blue, each 0..255."""

Swaps = tuple[tuple[int, int], ...]
"""Pairs of label values that change places in a mirror image along x, such as left and right."""


def swapped(swaps: Swaps, count: int) -> list[int]:
    """Return the label values below count in the order that they have after the swaps."""
    order = list(range(count))
    for one, other in swaps:
        order[one], order[other] = other, one
    return order


_SIDE = re.compile(r"^(?:Left|Right) (?=\w)")


@dataclass(frozen=True)
class Code:
    """One coded concept, as DICOM writes it: coding scheme, value and meaning."""

    scheme: CodePart
    value: CodePart
    meaning: CodePart

    def to_slicer(self) -> str:
        """``scheme^value^meaning``."""
        return f"{self.scheme}^{self.value}^{self.meaning}"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Code:
        """Return the code in a validated ``{"scheme", "value", "meaning"}`` object."""
        return cls(data["scheme"], data["value"], data["meaning"])

    def to_json(self) -> dict[str, Any]:
        """The object that from_json reads."""
        return {"scheme": self.scheme, "value": self.value, "meaning": self.meaning}


@dataclass(frozen=True)
class Terminology:
    """Category, type and modifier of a segment, and the body region it lies in."""

    category: Code
    type: Code
    modifier: Code | None = field(default=None, metadata={"required": True})
    region: Code | None = field(default=None, metadata={"required": True})
    region_modifier: Code | None = field(default=None, metadata={"required": True})

    def to_slicer(
        self,
        context: str = "Segmentation category and type - 3D Slicer General Anatomy list",
        region_context: str = "Anatomic codes - DICOM master list",
    ) -> str:
        """The terminology entry that 3D Slicer stores as a segment's tag.

        The form is ``context~category~type~modifier~region context~region~region modifier``;
        an absent code is ``^^``.
        """
        parts = [
            context,
            _code_text(self.category),
            _code_text(self.type),
            _code_text(self.modifier),
            region_context,
            _code_text(self.region),
            _code_text(self.region_modifier),
        ]
        return "~".join(parts)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Terminology:
        """Return the terminology in a validated object of a card."""
        return cls(
            category=Code.from_json(data["category"]),
            type=Code.from_json(data["type"]),
            modifier=_optional_code(data.get("modifier")),
            region=_optional_code(data.get("region")),
            region_modifier=_optional_code(data.get("region_modifier")),
        )

    def to_json(self) -> dict[str, Any]:
        """The object that from_json reads, absent codes as None."""
        return {
            "category": self.category.to_json(),
            "type": self.type.to_json(),
            "modifier": self.modifier.to_json() if self.modifier else None,
            "region": self.region.to_json() if self.region else None,
            "region_modifier": self.region_modifier.to_json() if self.region_modifier else None,
        }


@dataclass(frozen=True)
class Label:
    """One structure that a model segments; value is its number in the labelmap (1..255)."""

    value: LabelValue
    name: Line
    color: Color
    terminology: Terminology

    @property
    def segment_id(self) -> str:
        """The name as an identifier: every run of other characters becomes one underscore."""
        return re.sub(r"\W+", "_", self.name).strip("_")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Label:
        """Return the label in a validated object of a card."""
        red, green, blue = (int(part) for part in data["color"])
        return cls(int(data["value"]), data["name"], (red, green, blue), Terminology.from_json(data["terminology"]))

    def to_json(self) -> dict[str, Any]:
        """The object that from_json reads."""
        return {
            "value": self.value,
            "name": self.name,
            "color": list(self.color),
            "terminology": self.terminology.to_json(),
        }


def without_side(name: str) -> str:
    """Return the name of a structure without its side: "Thalamus" for "Left thalamus"."""
    shorter = _SIDE.sub("", name)
    return shorter[:1].upper() + shorter[1:]


def _code_text(code: Code | None) -> str:
    return code.to_slicer() if code else "^^"


def _optional_code(data: Mapping[str, Any] | None) -> Code | None:
    return Code.from_json(data) if data else None
