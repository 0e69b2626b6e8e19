"""What is written about a corrected case: never who it is, where its files lay, or when it was scanned."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from LightMedSegLib.core.labels import Label
from LightMedSegLib.model.card import ModelCard, card_schema
from LightMedSegLib.storage.json_schema import find_violation
from LightMedSegLib.storage.strict_json import parse_json

FORMAT = 1
ID_PATTERN = re.compile(r"[0-9a-f]{16}")

_HASH = "^[0-9a-f]{16}(?![\\s\\S])"
_CARD_DEFINITIONS = ("name", "version", "sha256", "count", "line", "channel", "zscore", "window", "label_values")
_LABEL_DEFINITIONS = ("label", "optional_code", "code", "code_part")


@dataclass(frozen=True)
class TestThenTrain:
    """How good the untouched prediction of a model was, by the Dice of each reviewed label (nan: in neither)."""

    __test__ = False  # for pytest, which takes every class called Test... for a test

    model: str
    dice: dict[str, float]

    @property
    def mean(self) -> float:
        """Mean of the labels that exist; nan if none does."""
        present = [value for value in self.dice.values() if not math.isnan(value)]
        return sum(present) / len(present) if present else math.nan


@dataclass(frozen=True)
class CaseRecord:
    """Metadata of a case.

    case_id: random. number: counts the cases of a store, for people. revision: counts from 1. added: the day of
    adding. input: channels, spacing and orientation of the model grid, as in the model card. labels: what the values
    mean. reviewed: values that the person looked at. absent: reviewed values that the person confirmed are not in
    this volume. shape: (z, y, x). scan, part: hashes of the volumes and of the stored voxels (:mod:`same_scan`); the
    store adds the second to records of a time before both.
    """

    case_id: str
    number: int
    revision: int
    added: str
    input: dict[str, Any]
    labels: tuple[Label, ...]
    reviewed: tuple[int, ...]
    absent: tuple[int, ...]
    shape: tuple[int, int, int]
    reviewed_voxels: int
    tensors_sha256: str
    test_then_train: TestThenTrain | None = None
    scan: tuple[str, ...] = ()
    part: str = ""

    @property
    def reviewed_share(self) -> float:
        """Share of the stored voxels that were reviewed."""
        return self.reviewed_voxels / math.prod(self.shape)

    def fits(self, card: ModelCard) -> bool:
        """Whether the case lies on the grid, and was normalised as, the model of card reads."""
        return self.input == input_description(card)

    def to_json(self) -> dict[str, Any]:
        """The object that from_json reads."""
        trial = self.test_then_train
        dice = {} if trial is None else {key: None if math.isnan(x) else round(x, 4) for key, x in trial.dice.items()}
        return {
            "format": FORMAT,
            "case_id": self.case_id,
            "number": self.number,
            "revision": self.revision,
            "added": self.added,
            "input": self.input,
            "labels": [label.to_json() for label in self.labels],
            "reviewed": list(self.reviewed),
            "absent": list(self.absent),
            "shape": list(self.shape),
            "reviewed_voxels": self.reviewed_voxels,
            "tensors_sha256": self.tensors_sha256,
            "test_then_train": None if trial is None else {"model": trial.model, "dice": dice},
            "scan": list(self.scan),
            "part": self.part,
        }

    @classmethod
    def from_json(cls, text: bytes) -> CaseRecord:
        """Check and build; raises ValueError with the reason."""
        data = parse_json(text)
        violation = find_violation(data, _schema())
        if violation:
            raise ValueError(str(violation))
        datetime.date.fromisoformat(data["added"])
        z, y, x = (int(size) for size in data["shape"])
        trial = data["test_then_train"]
        return cls(
            case_id=data["case_id"],
            number=int(data["number"]),
            revision=int(data["revision"]),
            added=data["added"],
            input=data["input"],
            labels=tuple(Label.from_json(label) for label in data["labels"]),
            reviewed=tuple(int(value) for value in data["reviewed"]),
            absent=tuple(int(value) for value in data["absent"]),
            shape=(z, y, x),
            reviewed_voxels=int(data["reviewed_voxels"]),
            tensors_sha256=data["tensors_sha256"],
            test_then_train=None if trial is None else TestThenTrain(trial["model"], _dice(trial["dice"])),
            scan=tuple(data.get("scan", ())),
            part=data.get("part", ""),
        )


def input_description(card: ModelCard) -> dict[str, Any]:
    """What a case and a model must have in common: channels, spacing and orientation."""
    content = card.to_json()["input"]
    return {key: content[key] for key in ("channels", "spacing_mm", "orientation")}


def _dice(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in values.items()}


def _schema() -> dict[str, Any]:
    """Built on the card's own definitions, so that labels and channels obey the same rules."""
    definitions = card_schema()["$defs"]
    values = {"type": "array", "maxItems": 255, "items": {"type": "integer", "minimum": 1, "maximum": 255}}
    number = {"type": "number", "minimum": 0, "maximum": 1}
    properties: dict[str, Any] = {
        "format": {"const": FORMAT},
        "case_id": {"type": "string", "pattern": _HASH},
        "number": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
        "revision": {"type": "integer", "minimum": 1, "maximum": 9999},
        "added": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\\s\\S])"},
        "input": {
            "type": "object",
            "required": ["channels", "spacing_mm", "orientation"],
            "additionalProperties": False,
            "properties": {key: definitions["input"]["properties"][key] for key in _INPUT_KEYS},
        },
        "labels": {"type": "array", "minItems": 1, "maxItems": 254, "items": {"$ref": "#/$defs/label"}},
        "reviewed": {**values, "minItems": 1},
        "absent": values,
        "shape": {"type": "array", "minItems": 3, "maxItems": 3, "items": {"type": "integer", "minimum": 1}},
        "reviewed_voxels": {"type": "integer", "minimum": 1},
        "tensors_sha256": {"$ref": "#/$defs/sha256"},
        "test_then_train": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["model", "dice"],
                    "additionalProperties": False,
                    "properties": {
                        "model": {"type": "string", "maxLength": 200},
                        "dice": {"type": "object", "additionalProperties": {"anyOf": [{"type": "null"}, number]}},
                    },
                },
            ]
        },
    }
    required = list(properties)
    properties["scan"] = {"type": "array", "maxItems": 255, "items": {"type": "string", "pattern": _HASH}}
    properties["part"] = {"anyOf": [{"const": ""}, {"type": "string", "pattern": _HASH}]}
    kept = {key: definitions[key] for key in (*_CARD_DEFINITIONS, *_LABEL_DEFINITIONS)}
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": properties,
        "$defs": kept,
    }


_INPUT_KEYS = ("channels", "spacing_mm", "orientation")
