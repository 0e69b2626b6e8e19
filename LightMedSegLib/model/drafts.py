"""Drafts: packages of new models that have not been trained yet."""

from __future__ import annotations

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.card import ModelCard

DRAFT_VERSION = "1.0.0-draft"
"""It sorts before every version that is trained from it."""

UNKNOWN_MODALITY = "OT"
"""DICOM's code for "other": what the card of a new model says where its scans do not tell."""


def is_draft(card: ModelCard) -> bool:
    """Return whether the model of card only has the weights that a training begins with."""
    return card.version == DRAFT_VERSION


def refuse_draft(card: ModelCard) -> None:
    """Raise ModelPackageError for a draft, which cannot segment anything."""
    if is_draft(card):
        raise ModelPackageError(
            f"The model {card.name} is not trained yet; add scans with its structures and fine-tune it first."
        )
