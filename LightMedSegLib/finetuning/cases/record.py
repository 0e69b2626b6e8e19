"""The record of a corrected case, without identity, file paths and date of the scan."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.records.item_types import Day, LabelValue, Orientation, Sha256, ShortHash
from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.finetuning.cases.effort import Effort
from LightMedSegLib.model.card import Channel, ModelCard
from LightMedSegLib.model.card_items import Spacing
from LightMedSegLib.storage.records import read_record, record_json
from LightMedSegLib.storage.strict_json import parse_json

ID_PATTERN = re.compile(r"[0-9a-f]{16}")

_NEEDED = {"required": True}

Length = Annotated[int, Limits(minimum=1)]
Dice = Annotated[float, Limits(type=["number", "null"], minimum=0, maximum=1)]
"""null in the file is nan: the label is in neither segmentation."""


@dataclass(frozen=True)
class BaselineDice:
    """Dice of a model's untouched prediction with the correction, for each reviewed label (nan: in neither)."""

    model: Annotated[str, Limits(maxLength=200)]
    dice: dict[str, Dice]

    def __post_init__(self) -> None:
        dice = {name: math.nan if value is None else float(value) for name, value in self.dice.items()}
        object.__setattr__(self, "dice", dice)

    @property
    def mean(self) -> float:
        """Mean Dice of the labels that exist; nan if none does."""
        present = [value for value in self.dice.values() if not math.isnan(value)]
        return sum(present) / len(present) if present else math.nan


@dataclass(frozen=True)
class CaseInput:
    """The input that a case and a model must share, as in the model card."""

    channels: Annotated[tuple[Channel, ...], Limits(minItems=1, maxItems=16)]
    spacing: Spacing = field(metadata={"key": "spacing_mm"})
    orientation: Orientation


@dataclass(frozen=True)
class CaseRecord:
    """Metadata of a case.

    case_id: random. number: counts the cases of a store, for people. revision: counts from 1. added: the day of
    adding. input: channels, spacing and orientation of the model grid, as in the model card. labels: the names of the
    values. reviewed: values that the person reviewed. absent: reviewed values that the person confirmed are not in
    this volume. shape: (z, y, x). scan, part: hashes of the volumes and of the stored voxels (:mod:`same_scan`); the
    store adds the second to older records without both. effort: what the correction took, if
    it was counted.
    """

    case_id: ShortHash
    number: Annotated[int, Limits(minimum=1, maximum=1_000_000)]
    revision: Annotated[int, Limits(minimum=1, maximum=9999)]
    added: Day
    input: CaseInput
    labels: Annotated[tuple[Label, ...], Limits(minItems=1, maxItems=254)]
    reviewed: Annotated[tuple[LabelValue, ...], Limits(minItems=1, maxItems=255)]
    absent: Annotated[tuple[LabelValue, ...], Limits(maxItems=255)]
    shape: tuple[Length, Length, Length]
    reviewed_voxels: Length
    tensors_sha256: Sha256
    baseline_dice: BaselineDice | None = field(default=None, metadata={**_NEEDED, "key": "test_then_train"})
    scan: Annotated[tuple[ShortHash, ...], Limits(maxItems=255)] = ()
    part: Literal[""] | ShortHash = ""
    effort: Effort | None = field(default=None, metadata={"omit_empty": True})
    format: Literal[1] = field(default=1, metadata=_NEEDED)

    @property
    def reviewed_share(self) -> float:
        """Share of reviewed voxels among the stored ones."""
        return self.reviewed_voxels / math.prod(self.shape)

    def fits(self, card: ModelCard) -> bool:
        """Return whether the case has the grid and normalisation of the model of card."""
        return self.input == input_description(card)

    def to_json(self) -> dict[str, Any]:
        """Return the object that from_json reads."""
        content = record_json(self)
        if self.baseline_dice is not None:
            dice = self.baseline_dice.dice
            content["test_then_train"]["dice"] = {
                name: None if math.isnan(value) else round(value, 4) for name, value in dice.items()
            }
        return content

    @classmethod
    def from_json(cls, text: bytes) -> CaseRecord:
        """Return the record in text, checked; raises ValueError with the reason."""
        record = read_record(cls, parse_json(text))
        datetime.date.fromisoformat(record.added)
        return record


def input_description(card: ModelCard) -> CaseInput:
    """Return the input that a case and a model must share: channels, spacing and orientation."""
    return CaseInput(card.input.channels, card.input.spacing, card.input.orientation)
