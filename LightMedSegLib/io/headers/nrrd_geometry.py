"""Geometry in a NRRD header: space directions and origin in the header's space, or plain spacings."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.headers.length_units import scale_of
from LightMedSegLib.io.headers.stated_geometry import StatedGeometry

_TO_LPS = {
    "left-posterior-superior": (1.0, 1.0, 1.0),
    "lps": (1.0, 1.0, 1.0),
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "ras": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
    "las": (1.0, -1.0, 1.0),
}
"""Signs from each anatomical space to LPS. ITK in SimpleITK 2.5.0 and before flips the wrong axis of LAS."""

_TIME = re.compile(r"-time$|t$")
_VECTOR = re.compile(r"\(([^)]*)\)|none")
_QUOTED = re.compile(r'"([^"]*)"')

_NOWHERE = (
    "The NRRD header does not say how its axes lie in the patient; they were taken for left, posterior and superior, "
    "so left and right may be mistaken for each other."
)


def nrrd_geometry(fields: Mapping[str, str], name: str) -> StatedGeometry:
    """Return the geometry in the header's fields; raises InputImageError, beginning with name, if it is missing."""
    try:
        axes, origin, units = _placed(fields) if "space directions" in fields else _spaced(fields)
    except ValueError as error:
        raise InputImageError(
            f"{name} has a NRRD header with an impossible place in space; export it again."
        ) from error
    if len(axes) != 3 or any(len(axis) != 3 for axis in axes) or len(origin) != 3:
        raise InputImageError(f"{name} has a NRRD header that does not say how large its voxels are; export it again.")
    matrix = np.column_stack([np.transpose(axes), origin]).astype(np.float64)
    if not np.isfinite(matrix).all():
        raise InputImageError(f"{name} has a NRRD header whose place in space is not finite; export it again.")
    scale, note = scale_of(units, "NRRD", name)
    notes = [note] if note else []
    signs = _TO_LPS.get(_TIME.sub("", fields.get("space", "").lower()))
    if signs is None:
        notes.insert(0, _NOWHERE)
        signs = (1.0, 1.0, 1.0)
    return StatedGeometry(np.diag(signs) @ matrix * scale, tuple(notes))


_Place = tuple[list[list[float]], list[float], list[str]]
"""Vectors of the three axes, the origin, and the units of length."""


def _placed(fields: Mapping[str, str]) -> _Place:
    """Return the axes from space directions; time and component axes have none; a fourth space dimension is time."""
    vectors = [_numbers(text)[:3] for text in _VECTOR.findall(fields["space directions"]) if text]
    origin = fields.get("space origin", "(0,0,0)").strip()
    return vectors[:3], _numbers(origin.strip("()"))[:3], _QUOTED.findall(fields.get("space units", ""))[:3]


def _spaced(fields: Mapping[str, str]) -> _Place:
    """Return the axes from spacings, along the axes of space."""
    spacings = [float(text) for text in fields.get("spacings", "").split()]
    lengths = [length for length in spacings if np.isfinite(length)][:3]
    if any(length <= 0 for length in lengths):
        raise ValueError("A spacing is not positive.")
    axes: NDArray[np.float64] = np.diag(lengths)
    return axes.tolist(), _first_voxel(fields, lengths), _QUOTED.findall(fields.get("units", ""))[:3]


def _first_voxel(fields: Mapping[str, str], lengths: list[float]) -> list[float]:
    """Return the centre of the first voxel: axis mins are its border, unless the header declares node centring."""
    mins = _numbers(fields.get("axis mins", fields.get("axismins", "")))[:3]
    if len(mins) < len(lengths) or not np.isfinite(mins).all():
        return [0.0] * len(lengths)
    centers = [*fields.get("centers", fields.get("centerings", "")).split(), *(["cell"] * len(lengths))]
    shifts = (0.0 if centre == "node" else length / 2 for centre, length in zip(centers, lengths, strict=False))
    return [low + shift for low, shift in zip(mins, shifts, strict=True)]


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.replace(",", " ").split()]
