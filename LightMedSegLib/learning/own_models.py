"""Names of models that users make, and labels for their structures without a coded terminology."""

from __future__ import annotations

import re

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.labels import Code, Color, Label, Terminology

_ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
_OWN_SCHEME = "99LIGHTMEDSEG"
_COLORS: tuple[Color, ...] = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0))

LONGEST_NAME = 64
"""Most characters of a model's name and title."""


def model_name(title: str) -> str:
    """Return the name of a model called title: small letters, digits and hyphens; raises TrainingDataError."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST_NAME].strip("-")
    if not name:
        raise TrainingDataError("The new model needs a name with Latin letters or digits, such as 'left kidney'.")
    return name


def make_label(value: int, name: str) -> Label:
    """Return a label called name with a code of a private scheme, which DICOM requires for non-standard codes."""
    plain = Label(value, name, _COLORS[value % len(_COLORS)], Terminology(_ANATOMY, _ANATOMY))
    code = Code(_OWN_SCHEME, plain.segment_id[:60] or f"L{value}", name)
    return Label(value, name, plain.color, Terminology(_ANATOMY, code))
