"""The texts that describe a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from LightMedSegLib.finetuning.versions import gate_report
from LightMedSegLib.model.drafts import is_draft

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.model.store import ModelEntry

_SHOWN_STRUCTURES = 40


def choice_text(entry: ModelEntry, *, several: bool) -> str:
    """The text of an entry in the model selector, with the version if several versions of the model are installed."""
    if entry.card is None:
        return entry.identifier
    if is_draft(entry.card):
        return _("{title}, not trained yet").format(title=entry.card.title)
    if not several:
        return entry.card.title
    return _("{title}, {version}").format(title=entry.card.title, version=entry.card.version)


def version_text(card: ModelCard, *, shipped: bool) -> str:
    """The version of a model and its origin."""
    if shipped:
        return _("Version {version}").format(version=card.version)
    if gate_report(card) is not None:
        return _("{version}, fine-tuned").format(version=card.version)
    return _("{version}, added by you").format(version=card.version)


def structures_text(card: ModelCard) -> str:
    """The names of the structures that the model segments."""
    names = [label.name for label in card.labels]
    if len(names) > _SHOWN_STRUCTURES:
        more = len(names) - _SHOWN_STRUCTURES
        return _("{names} and {count} more").format(names=", ".join(names[:_SHOWN_STRUCTURES]), count=more)
    return ", ".join(names)


def licence_text(card: ModelCard) -> str:
    """The licences of weights and training data."""
    return _("Weights: {weights}. Training data: {data} ({notice})").format(
        weights=card.licenses["weights"], data=card.licenses["data"], notice=card.licenses["data_notice"]
    )


def input_text(card: ModelCard) -> str:
    """Modality, body region, channels and voxel size of the model's input."""
    spacing = " x ".join(f"{value:g}" for value in card.input.spacing)
    channels = ", ".join(channel.name for channel in card.input.channels)
    return _("{modality}, {region}: {channels}, resampled to {spacing} mm").format(
        modality=card.modality, region=card.body_region.lower(), channels=channels, spacing=spacing
    )
