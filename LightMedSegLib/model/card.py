"""The model card: everything that a run needs and a person wants to know about a model."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.core.records.item_types import (
    Day,
    LabelValue,
    Line,
    ModelName,
    Orientation,
    Sha256,
    Text,
    VersionText,
)
from LightMedSegLib.core.records.limits import Limits
from LightMedSegLib.model.card_items import (
    Argument,
    Extent,
    FillHoles,
    KeepLargestComponent,
    Licenses,
    PatchSize,
    RemoveSmallComponents,
    Spacing,
    Training,
    Window,
    ZScore,
)
from LightMedSegLib.model.card_rules import broken_rule
from LightMedSegLib.model.dice_calibration import DiceCalibration
from LightMedSegLib.model.label_ranges import LabelRange
from LightMedSegLib.model.locator import Locator
from LightMedSegLib.storage.record_schema import record_schema
from LightMedSegLib.storage.records import read_record, record_json, refused_as
from LightMedSegLib.storage.strict_json import parse_json, plain_values

SCHEMA_VERSION = 1

PROMPT_CHANNELS = 4
"""What a promptable network reads beside the image: mask, include and exclude prompts, and what edges say of them."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Channel:
    """One input volume of the model."""

    name: Line
    normalization: ZScore | Window


@dataclass(frozen=True)
class InputSpec:
    """How the network wants its input.

    spacing is mm along x, y, z of the oriented grid; orientation is the DICOM orientation code of the array
    (such as "LPS"), or "slices": z runs across the slices as they were acquired, the longest voxels, and x and y are
    the other two axes as they are stored; patch is voxels along z, y, x; view is "windows" or "whole"; overlap is the
    fraction of a window; voxels at or below background_value are air that may be skipped (None: skip nothing).

    preview_spacing is mm along x, y, z of the larger voxels at which a quick coarse first result is allowed (None: no
    preview). largest_patch is voxels along z, y, x up to which a window may grow to span a volume that the patch does
    not (None: none grows). largest_extent is mm along x, y, z of the largest volumes that the model was made for
    (None: any); locator finds the structures in larger ones (None: the user chooses a region).
    """

    channels: Annotated[tuple[Channel, ...], Limits(minItems=1, maxItems=16)]
    spacing: Annotated[Spacing, Limits(description="x, y, z of the oriented grid.")] = field(
        metadata={"key": "spacing_mm"}
    )
    orientation: Orientation
    patch: Annotated[tuple[PatchSize, PatchSize, PatchSize], Limits(description="z, y, x voxels.")]
    view: Literal["windows", "whole"]
    overlap: Annotated[float, Limits(minimum=0, maximum=0.9)]
    background_value: float | None
    preview_spacing: (
        Annotated[
            Spacing,
            Limits(
                description="x, y, z of larger voxels at which a quick coarse first result is good enough to look at."
            ),
        ]
        | None
    ) = field(default=None, metadata={"key": "preview_spacing_mm", "omit_empty": True})
    largest_patch: (
        Annotated[
            tuple[PatchSize, PatchSize, PatchSize],
            Limits(description="z, y, x voxels up to which a window grows where it then spans the volume."),
        ]
        | None
    ) = field(default=None, metadata={"omit_empty": True})
    largest_extent: (
        Annotated[
            tuple[Extent, Extent, Extent],
            Limits(
                description="x, y, z of the largest volumes that the model was made for; larger ones need a region."
            ),
        ]
        | None
    ) = field(default=None, metadata={"key": "largest_extent_mm", "omit_empty": True})
    locator: (
        Annotated[Locator, Limits(description="Another model that finds the structures in volumes beyond that extent.")]
        | None
    ) = field(default=None, metadata={"omit_empty": True})


@dataclass(frozen=True)
class Network:
    """Name of a network of this program, and its settings."""

    name: ModelName
    arguments: dict[str, Argument]


@dataclass(frozen=True)
class Parent:
    """The version that a fine-tuned model started from."""

    name: ModelName
    version: VersionText
    weights_sha256: Sha256


@dataclass(frozen=True)
class WeightsInfo:
    """Name, SHA-256 (lower-case hexadecimal) and size in bytes of the weights file."""

    file: Literal["weights.safetensors"]
    sha256: Sha256
    bytes: Annotated[int, Limits(minimum=8, maximum=2**31)]


@dataclass(frozen=True)
class ReferenceInfo:
    """The file reference.safetensors: cases on which fine-tuning is tested for forgetting, their source and licence."""

    cases: Annotated[int, Limits(minimum=1, maximum=1000)]
    data: Text
    license: Line
    sha256: Sha256
    bytes: Annotated[int, Limits(minimum=1, maximum=2**29)]


@dataclass(frozen=True)
class ModelCard:
    """A checked model card; make one with :meth:`from_json`."""

    schema_version: Literal[1]
    name: ModelName
    version: VersionText
    parent: Parent | None
    title: Line
    description: Text
    modality: Annotated[str, Limits(pattern="^[A-Z]{2,16}(?![\\s\\S])")]
    body_region: Line
    created: Day
    input: InputSpec
    network: Network
    labels: Annotated[tuple[Label, ...], Limits(minItems=1, maxItems=255)]
    postprocessing: Annotated[tuple[KeepLargestComponent | RemoveSmallComponents | FillHoles, ...], Limits(maxItems=64)]
    test_time_mirroring: Annotated[tuple[Literal["x", "y", "z"], ...], Limits(uniqueItems=True)]
    licenses: Licenses
    training: Training
    metrics: dict[str, Any]
    intended_use: Text
    limits: Text
    weights: WeightsInfo
    kind: Annotated[
        Literal["segmentation", "promptable"],
        Limits(description="A promptable model completes what a person marks, and reads the marks beside the image."),
    ] = field(default="segmentation", metadata={"omit_default": True})
    reference: ReferenceInfo | None = field(default=None, metadata={"omit_empty": True})
    removed_with_skull: Annotated[
        tuple[LabelValue, ...],
        Limits(description="Labels that are not looked for in a scan without the skull.", uniqueItems=True),
    ] = field(default=(), metadata={"omit_empty": True})
    mirror_label_swaps: Annotated[
        tuple[tuple[LabelValue, LabelValue], ...],
        Limits(description="Left and right: labels that change places in a mirror image along x.", maxItems=127),
    ] = field(default=(), metadata={"omit_empty": True})
    ranges: Annotated[
        tuple[LabelRange, ...],
        Limits(
            description="Plausible volumes and places of structures; a result outside them gets a warning.",
            minItems=1,
            maxItems=255,
        ),
    ] = field(default=(), metadata={"omit_empty": True})
    expected_dice: (
        Annotated[DiceCalibration, Limits(description="The Dice to expect of a structure, from its mean confidence.")]
        | None
    ) = field(default=None, metadata={"omit_empty": True})

    @property
    def num_classes(self) -> int:
        """Output channels of the network: class c is label value c, class 0 is background."""
        return self.labels[-1].value + 1

    @property
    def in_channels(self) -> int:
        """Input channels of the network: those of the image, and of a promptable model those of the prompts."""
        return len(self.input.channels) + (PROMPT_CHANNELS if self.promptable else 0)

    @property
    def promptable(self) -> bool:
        """Whether the network needs a person's prompts, so that it cannot segment a volume by itself."""
        return self.kind == "promptable"

    @property
    def identifier(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"

    @classmethod
    def from_json(cls, source: Mapping[str, Any] | str | bytes) -> ModelCard:
        """Check a card (JSON text, or the parsed object) and build it.

        Raises ModelPackageError with the reason and the item for a card that is no JSON, made for a newer
        program, does not follow the schema, or contradicts itself.
        """
        try:
            data = parse_json(source) if isinstance(source, (str, bytes)) else plain_values(dict(source))
        except ValueError as error:
            raise ModelPackageError(f"The model card cannot be read: {error}.") from None
        _refuse_newer(data)
        with refused_as(ModelPackageError, "The model card"):
            card = read_record(cls, data)
            reason = broken_rule(data)
            if reason:
                raise ValueError(reason)
        return card

    def to_json(self) -> dict[str, Any]:
        """The card as the JSON object that :meth:`from_json` reads; a copy that may be changed."""
        return record_json(self)

    def to_text(self) -> str:
        """The card as the text of ``model.json``."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


@functools.cache
def card_schema() -> dict[str, Any]:
    """The JSON schema of the card, as the file card_schema.json shows it to other programs."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "LightMedSeg model card",
        "description": "Everything that a run needs and a person wants to know about one segmentation model.",
        **record_schema(ModelCard),
    }


def _refuse_newer(data: Any) -> None:
    """Before the schema, which would call a newer card's items unknown instead of naming the cause."""
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, (int, float)) and version > SCHEMA_VERSION:
        raise ModelPackageError(
            f"The model card has schema_version {version}, but this program reads up to {SCHEMA_VERSION}: "
            "update LightMedSeg to use this model."
        )
