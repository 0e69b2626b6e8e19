"""Matching of segments to the labels of a model: by the name of the segment, not by its value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.labelmaps.segments import Segment

_NUMBERED = re.compile(r"(segment|label|class|region)?\d*")
"""Default names of segments in common programs."""


def plain_name(name: str) -> str:
    """Return the name without case, blanks and punctuation, and with normalised accents."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()


def match_segments(segments: Sequence[Segment], labels: Sequence[Label]) -> list[int | None]:
    """Return the label value of each segment, None if it matches none; no label is assigned twice.

    Segments match by name, else by identifier, else by coded type, modifier and region. The name is first because the
    user sees and edits it.
    """
    found: list[int | None] = [None] * len(segments)
    for same in (_same_name, _same_plain_name, _same_identifier, _same_codes):
        for index, segment in enumerate(segments):
            free = [label for label in labels if label.value not in found]
            matching = [label.value for label in free if same(segment, label)] if found[index] is None else []
            if len(matching) == 1:
                found[index] = matching[0]
    return found


def label_values(segments: Sequence[Segment], labels: Sequence[Label], where: str) -> tuple[list[int], list[str]]:
    """Return the label value of each segment, and notes about ambiguous ones.

    If no label has the name, the value of the segment counts only if the name is a default one ("Segment_1") or has
    more words in common with that label than with any other.

    Raises InputImageError, which begins with where, for a segment that matches no label.
    """
    found = match_segments(segments, labels)
    named = any(value is not None for value in found)
    by_value = {label.value: label for label in labels}
    values, notes = [], []
    for segment, value in zip(segments, found, strict=True):
        label = by_value.get(segment.value) if segment.value not in found else None
        if value is not None:
            values.append(value)
        elif label is not None and not named and _NUMBERED.fullmatch(plain_name(segment.name)):
            values.append(label.value)
        elif label is not None and _is_nearest(segment.name, label, labels):
            values.append(label.value)
            notes.append(f"{where}: {segment.name!r} with the value {label.value} is taken for {label.name!r}.")
        else:
            known = ", ".join(repr(label.name) for label in labels)
            raise InputImageError(
                f"{where} has {segment.name!r} with the value {segment.value}, but no label of the model is called so "
                f"({known}); rename or remove it."
            )
    changed = [
        f"{segment.value} to {value} ({segment.name})"
        for segment, value in zip(segments, values, strict=True)
        if segment.value != value
    ]
    if changed:
        notes.append(f"{where}: label values were changed to those of the same names: {', '.join(changed)}.")
    return values, notes


def _is_nearest(name: str, label: Label, labels: Sequence[Label]) -> bool:
    common = {other.value: len(_words(name) & _words(other.name)) for other in labels}
    return all(common[label.value] > count for value, count in common.items() if value != label.value) and (
        common[label.value] > 0
    )


def _words(name: str) -> set[str]:
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).casefold())
    return {word for word in words if not word.isdecimal()}


def _same_name(segment: Segment, label: Label) -> bool:
    return segment.name.strip().casefold() == label.name.strip().casefold()


def _same_plain_name(segment: Segment, label: Label) -> bool:
    return plain_name(segment.name) == plain_name(label.name) != ""


def _same_identifier(segment: Segment, label: Label) -> bool:
    return segment.identifier == label.segment_id != ""


def _same_codes(segment: Segment, label: Label) -> bool:
    return segment.codes == Segment(label.value, label.name, terminology=label.terminology.to_slicer()).codes != ()
