"""Promptable models: they complete what a person marks, so no run without marks can use them."""

from __future__ import annotations

from LightMedSegLib.core.errors import ModelPackageError
from LightMedSegLib.model.card import ModelCard


def refuse_promptable(card: ModelCard, purpose: str = "segment a volume") -> None:
    """Raise ModelPackageError for a promptable model, which cannot do purpose by itself."""
    if card.promptable:
        raise ModelPackageError(
            f"The model {card.name} completes strokes and cannot {purpose} by itself; choose another model, or use it "
            "in the section Correct or with 'lightmedseg interact'."
        )
