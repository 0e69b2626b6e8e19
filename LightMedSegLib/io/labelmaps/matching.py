"""Which segment is which label of a model: what a segment is called decides, not the number that it happens to have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.labelmaps.segments import Segment

_NUMBERED = re.compile(r"(segment|label|class|region)?\d*")
"""What programs call a segment that nobody has named."""


def plain_name(name: str) -> str:
    """The name without case, blanks, punctuation, and ways to encode an accent."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name)).casefold()


def match_segments(segments: Sequence[Segment], labels: Sequence[Label]) -> list[int | None]:
    """For each segment the value of the label that it is, None for none; no label is given twice.

    By name, else by identifier, else by coded type, modifier and region. The name goes first because it is what a
    person sees and changes.
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
    """For each segment the value of the label that it is, and notes about what was not plain.

    Where a name is none of the labels', the segment's own value counts only if the name says nothing
    ("Segment_1") or has more words in common with that label's than with any other's.

    Raises InputImageError, which begins with where, for a segment that no label is called like.
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
