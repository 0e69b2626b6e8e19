"""Segments in the fields of a .seg.nrrd file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.storage.text_files import decode_text

_FIELD = re.compile(r"Segment(\d+)_(ID|Name|LabelValue|Layer|Tags)")
_TERMINOLOGY = "TerminologyEntry:"


@dataclass(frozen=True)
class Segment:
    """One segment: its value in its layer, its name, identifier and terminology.

    identifier: "" if the file has none. terminology: as 3D Slicer writes it, "" for none.
    """

    value: int
    name: str
    identifier: str = ""
    terminology: str = ""
    layer: int = 0

    @property
    def codes(self) -> tuple[str, ...]:
        """Scheme and value of type, type modifier and region, as ``scheme^value``; empty without a coded type."""
        parts = [*self.terminology.split("~"), *[""] * 7][:7]
        chosen = tuple("^".join(part.split("^")[:2]).strip("^") for part in (parts[2], parts[3], parts[5]))
        return chosen if chosen[0] else ()


def segments_of(fields: Mapping[str, str], name: str) -> list[Segment]:
    """Return the segments in the key/value fields of a file, in their order; empty for a file without such fields.

    Files of 3D Slicer before 4.11 have no values: there each segment has its own layer, with the value 1.

    Raises InputImageError, which begins with name, for values that are no positive whole numbers, and for two segments
    with one value in one layer.
    """
    found: dict[int, dict[str, str]] = {}
    for key, text in fields.items():
        match = _FIELD.fullmatch(key)
        if match:
            found.setdefault(int(match[1]), {})[match[2]] = _repaired(text)
    segments = [_segment(number, found[number], name) for number in sorted(found)]
    places: dict[tuple[int, int], Segment] = {}
    for segment in segments:
        other = places.setdefault((segment.layer, segment.value), segment)
        if other is not segment:
            raise InputImageError(
                f"{name} gives the value {segment.value} to two segments, {other.name!r} and {segment.name!r}; "
                "export it again."
            )
    return segments


def _segment(number: int, fields: Mapping[str, str], name: str) -> Segment:
    numbered = "LabelValue" in fields
    value, layer = fields.get("LabelValue", "1"), fields.get("Layer", "0" if numbered else str(number))
    title = fields.get("Name") or fields.get("ID") or f"Segment {number + 1}"
    if not re.fullmatch(r"[0-9]{1,5}", value) or not re.fullmatch(r"[0-9]{1,5}", layer) or int(value) == 0:
        raise InputImageError(f"{name} gives no usable value to its segment {title!r}; export it again.")
    tags = [tag.strip() for tag in fields.get("Tags", "").split("|")]
    terms = next((tag.removeprefix(_TERMINOLOGY) for tag in tags if tag.startswith(_TERMINOLOGY)), "")
    return Segment(int(value), title, fields.get("ID", ""), terms, int(layer))


def _repaired(text: str) -> str:
    """SimpleITK hands bytes that are not UTF-8 on as lone surrogates: the text is in an older encoding."""
    return decode_text(text.encode("utf-8", "surrogateescape"), older=True)
