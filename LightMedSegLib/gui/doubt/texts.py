"""Doubtful places in words."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _

from LightMedSegLib.mrml.doubt.places import Place


def percent(share: float) -> int:
    """A share as a whole number of percent; 100 only for all of it."""
    return 100 if share > 1 - 1e-6 else int(min(round(100 * share), 99))


def summary_text(places: Sequence[Place]) -> str:
    """How many places there are, and how much of the expected error is in them."""
    if not places:
        return _("No place is doubtful enough to be listed.")
    share = percent(sum(place.share for place in places))
    return _("{count} places with {share} % of the expected error, the largest first.").format(
        count=len(places), share=share
    )


def place_text(place: Place, number: int, count: int) -> str:
    """What may be wrong at a place. number: from 1."""
    first, second = (_label(name) for name in place.candidates)
    sentences = (
        _("{number} of {count}: {structure}.").format(number=number, count=count, structure=_label(place.structure)),
        _("Labelled {first}, perhaps {second}.").format(first=first, second=second),
        _("About {errors} wrong voxels, {share} % of all that are expected.").format(
            errors=round(place.errors), share=percent(place.share)
        ),
    )
    return " ".join(sentences)


def looked_text(share: float) -> str:
    """The text in the bar."""
    return _("{share} % of the expected error looked at").format(share=percent(share))


def _label(name: str) -> str:
    return name or _("background")
