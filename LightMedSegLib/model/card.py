"""The model card: everything that a run needs and a person wants to know about a model."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.model.card_rules import broken_rule
from LightMedSegLib.model.label_ranges import LabelRange
from LightMedSegLib.storage.json_schema import find_violation
from LightMedSegLib.storage.strict_json import check_values, parse_json

SCHEMA_VERSION = 1

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Channel:
    """One input volume of the model; normalization is ``{"kind": "zscore" | "window", ...}`` as in the card."""

    name: str
    normalization: dict[str, Any]


@dataclass(frozen=True)
class InputSpec:
    """How the network wants its input.

    spacing is mm along x, y, z of the oriented grid; orientation is the DICOM orientation code of the array
    (such as "LPS"); patch is voxels along z, y, x; view is "windows" or "whole"; overlap is the fraction of a
    window; voxels at or below background_value are air that may be skipped (None: skip nothing).

    preview_spacing is mm along x, y, z of the larger voxels at which a quick coarse first result is allowed (None:
    no preview). largest_extent is mm along x, y, z of the largest volumes that the model was made for (None: any).
    """

    channels: tuple[Channel, ...]
    spacing: Triple
    orientation: str
    patch: tuple[int, int, int]
    view: str
    overlap: float
    background_value: float | None
    preview_spacing: Triple | None = None
    largest_extent: Triple | None = None


@dataclass(frozen=True)
class Parent:
    """The version that a fine-tuned model started from."""

    name: str
    version: str
    weights_sha256: str


@dataclass(frozen=True)
class WeightsInfo:
    """Name, SHA-256 (lower-case hexadecimal) and size in bytes of the weights file."""

    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ReferenceInfo:
    """The file reference.safetensors: cases on which fine-tuning is tested for forgetting, their source and licence."""

    cases: int
    data: str
    license: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ModelCard:
    """A checked model card; make one with :meth:`from_json`."""

    schema_version: int
    name: str
    version: str
    parent: Parent | None
    title: str
    description: str
    modality: str
    body_region: str
    created: str
    input: InputSpec
    network_name: str
    network_arguments: dict[str, Any]
    labels: tuple[Label, ...]
    postprocessing: tuple[dict[str, Any], ...]
    test_time_mirroring: tuple[str, ...]
    licenses: dict[str, str]
    training: dict[str, Any]
    metrics: dict[str, Any]
    intended_use: str
    limits: str
    weights: WeightsInfo
    reference: ReferenceInfo | None = None
    ranges: tuple[LabelRange, ...] = ()

    @property
    def num_classes(self) -> int:
        """Output channels of the network: class c is label value c, class 0 is background."""
        return self.labels[-1].value + 1

    @property
    def in_channels(self) -> int:
        """Input channels of the network."""
        return len(self.input.channels)

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
            data = _plain_json(source)
        except ValueError as error:
            raise ModelPackageError(f"The model card cannot be read: {error}.") from None
        _refuse_newer(data)
        reason = find_violation(data, card_schema()) or broken_rule(data)
        if reason:
            raise ModelPackageError(f"The model card is not valid: {reason}.")
        return _build(data)

    def to_json(self) -> dict[str, Any]:
        """The card as the JSON object that :meth:`from_json` reads; a copy that may be changed."""
        data: dict[str, Any] = {
            "schema_version": self.schema_version,
            "name": self.name,
            "version": self.version,
            "parent": dict(vars(self.parent)) if self.parent else None,
            "title": self.title,
            "description": self.description,
            "modality": self.modality,
            "body_region": self.body_region,
            "created": self.created,
            "input": {
                "channels": [dict(vars(channel)) for channel in self.input.channels],
                "spacing_mm": list(self.input.spacing),
                "orientation": self.input.orientation,
                "patch": list(self.input.patch),
                "view": self.input.view,
                "overlap": self.input.overlap,
                "background_value": self.input.background_value,
            },
            "network": {"name": self.network_name, "arguments": self.network_arguments},
            "labels": [label.to_json() for label in self.labels],
            "postprocessing": list(self.postprocessing),
            "test_time_mirroring": list(self.test_time_mirroring),
            "licenses": self.licenses,
            "training": self.training,
            "metrics": self.metrics,
            "intended_use": self.intended_use,
            "limits": self.limits,
            "weights": dict(vars(self.weights)),
        }
        optional = {"preview_spacing_mm": self.input.preview_spacing, "largest_extent_mm": self.input.largest_extent}
        data["input"].update({name: list(value) for name, value in optional.items() if value is not None})
        if self.reference:
            data["reference"] = dict(vars(self.reference))
        if self.ranges:
            data["ranges"] = [entry.to_json() for entry in self.ranges]
        return copy.deepcopy(data)

    def to_text(self) -> str:
        """The card as the text of ``model.json``."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


@functools.cache
def card_schema() -> dict[str, Any]:
    """The JSON schema of the card."""
    schema: dict[str, Any] = json.loads(Path(__file__).with_name("card_schema.json").read_text(encoding="utf-8"))
    return schema


def _plain_json(source: Mapping[str, Any] | str | bytes) -> Any:
    if isinstance(source, (str, bytes)):
        return parse_json(source)
    check_values(dict(source))
    # The round trip turns tuples into lists and detaches the card from the caller's objects.
    return json.loads(json.dumps(dict(source)))


def _refuse_newer(data: Any) -> None:
    """Before the schema, which would call a newer card's items unknown instead of naming the cause."""
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, (int, float)) and version > SCHEMA_VERSION:
        raise ModelPackageError(
            f"The model card has schema_version {version}, but this program reads up to {SCHEMA_VERSION}: "
            "update LightMedSeg to use this model."
        )


def _build(data: dict[str, Any]) -> ModelCard:
    spec = data["input"]
    patch_z, patch_y, patch_x = (int(value) for value in spec["patch"])
    return ModelCard(
        schema_version=int(data["schema_version"]),
        name=data["name"],
        version=data["version"],
        parent=Parent(**data["parent"]) if data["parent"] else None,
        title=data["title"],
        description=data["description"],
        modality=data["modality"],
        body_region=data["body_region"],
        created=data["created"],
        input=InputSpec(
            channels=tuple(Channel(channel["name"], channel["normalization"]) for channel in spec["channels"]),
            spacing=_triple(spec["spacing_mm"]),
            orientation=spec["orientation"],
            patch=(patch_z, patch_y, patch_x),
            view=spec["view"],
            overlap=float(spec["overlap"]),
            background_value=spec["background_value"],
            preview_spacing=_triple(spec["preview_spacing_mm"]) if spec.get("preview_spacing_mm") else None,
            largest_extent=_triple(spec["largest_extent_mm"]) if spec.get("largest_extent_mm") else None,
        ),
        network_name=data["network"]["name"],
        network_arguments=data["network"]["arguments"],
        labels=tuple(Label.from_json(label) for label in data["labels"]),
        postprocessing=tuple(
            {**operation, "labels": [int(value) for value in operation["labels"]]}
            for operation in data["postprocessing"]
        ),
        test_time_mirroring=tuple(data["test_time_mirroring"]),
        licenses=data["licenses"],
        training=data["training"],
        metrics=data["metrics"],
        intended_use=data["intended_use"],
        limits=data["limits"],
        weights=WeightsInfo(data["weights"]["file"], data["weights"]["sha256"], int(data["weights"]["bytes"])),
        reference=ReferenceInfo(**data["reference"]) if data.get("reference") else None,
        ranges=tuple(LabelRange.from_json(entry) for entry in data.get("ranges", ())),
    )


def _triple(values: Sequence[float]) -> Triple:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
