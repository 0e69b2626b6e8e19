"""Which scans of a BIDS dataset a model is for: the suffixes of their names, such as T1w."""

from __future__ import annotations

from collections.abc import Sequence

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.model.card import ModelCard

NOT_IN_BIDS = ("ct", "CT")
"""Suffixes of CT scans, which BIDS does not define: a valid dataset names such files in its .bidsignore."""

_OF_CHANNELS = {"t1": "T1w", "t1w": "T1w", "t2": "T2w", "t2w": "T2w", "flair": "FLAIR", "pd": "PDw", "pdw": "PDw"}
_OF_MODALITIES = {"MR": ("T1w", "T2w", "FLAIR", "PDw", "T2starw"), "CT": NOT_IN_BIDS}

Contrasts = tuple[tuple[str, ...], ...]
"""For each channel of a model the suffixes of its scans, the preferred one first."""


def model_contrasts(card: ModelCard, wanted: Sequence[str] | None = None) -> Contrasts:
    """Return the suffixes of the scans that a model is for.

    They follow from the names of its channels, such as T1, else from its modality. wanted replaces them: for a model of
    one channel any number of suffixes, the preferred one first, for others one for each channel.

    Raises InputImageError if nothing follows from the card, or wanted does not go with its channels.
    """
    channels = card.input.channels
    if wanted:
        if len(channels) > 1 and len(wanted) != len(channels):
            raise InputImageError(
                f"{card.identifier} reads {len(channels)} volumes; give --contrast a suffix for each of them."
            )
        return tuple((suffix,) for suffix in wanted) if len(channels) > 1 else (tuple(wanted),)
    named = [_OF_CHANNELS.get(channel.name.strip().lower()) for channel in channels]
    if len(channels) > 1 and not all(named):
        raise InputImageError(
            f"The channels of {card.identifier} are not named like suffixes of BIDS; give --contrast a suffix for each "
            "of them, such as T1w FLAIR."
        )
    if all(named):
        return tuple((suffix,) for suffix in named if suffix)
    if card.modality not in _OF_MODALITIES:
        raise InputImageError(
            f"BIDS has no scans of the modality {card.modality}; say with --contrast which suffix {card.identifier} is "
            "for, such as T1w."
        )
    return (_OF_MODALITIES[card.modality],)
