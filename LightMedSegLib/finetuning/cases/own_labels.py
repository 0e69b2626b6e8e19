"""Labels for structures that a user adds without a coded terminology."""

from __future__ import annotations

from LightMedSegLib.core.labels import Code, Color, Label, Terminology

_ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
_OWN_SCHEME = "99LIGHTMEDSEG"
_COLORS: tuple[Color, ...] = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0))


def make_label(value: int, name: str) -> Label:
    """Return a label called name with a code of a private scheme, which DICOM requires for non-standard codes."""
    plain = Label(value, name, _COLORS[value % len(_COLORS)], Terminology(_ANATOMY, _ANATOMY))
    code = Code(_OWN_SCHEME, plain.segment_id[:60] or f"L{value}", name)
    return Label(value, name, plain.color, Terminology(_ANATOMY, code))
