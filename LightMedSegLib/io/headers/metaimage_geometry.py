"""Geometry in a MetaImage header: TransformMatrix, ElementSpacing and Offset, under any of their names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.headers.length_units import scale_of
from LightMedSegLib.io.headers.stated_geometry import StatedGeometry

_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")

_FROM = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "I": (0, 0, 1), "S": (0, 0, -1)}
"""Direction (LPS) of an axis by the side of the body where it begins: "RAI" are the axes of LPS."""

_LEAST_ALONG = 0.2
"""Smallest cosine between an axis and the direction of its letter, the nearest one in an oblique scan."""


def metaimage_geometry(fields: Mapping[str, str], name: str) -> StatedGeometry:
    """Return the geometry in the header's fields; raises InputImageError, beginning with name, if it is missing."""
    count = int(fields.get("NDims", "3"))
    notes = []
    stated_matrix, origin = _one_of(fields, _MATRIX, name), _one_of(fields, _ORIGIN, name)
    axes = np.eye(3) if stated_matrix is None else _checked(stated_matrix, count * count, name).reshape(count, count)
    offset = np.zeros(3) if origin is None else _checked(origin, count, name)
    spacing, size = (fields.get(key) for key in ("ElementSpacing", "ElementSize"))
    if spacing is None and size is not None:
        notes.append("The MetaImage header has no ElementSpacing; its ElementSize was used.")
    lengths = _checked(spacing or size or "", count, name)[:3]
    if (lengths <= 0).any():
        raise InputImageError(f"{name} has a voxel spacing in its header that is not positive; correct it.")
    directions = axes[:3, :3].T
    centre = _numbers(fields.get("CenterOfRotation", "0"), name)
    if centre.any() and not np.allclose(directions, np.eye(3)):
        raise InputImageError(
            f"{name} has a MetaImage header with a CenterOfRotation, which readers interpret differently; set it to 0."
        )
    letters = fields.get("AnatomicalOrientation", "").upper()[:3]
    if len(letters) == 3 and set(letters) <= set(_FROM):
        along = [np.dot(directions[:, axis], _FROM[letter]) for axis, letter in enumerate(letters)]
        if min(along) < _LEAST_ALONG:
            if stated_matrix is None:
                raise InputImageError(
                    f"{name} has a MetaImage header whose AnatomicalOrientation is {letters}, but no TransformMatrix "
                    "that says so; export it again."
                )
            notes.append(
                f"The MetaImage header contradicts itself: its AnatomicalOrientation {letters} is not that of its "
                "TransformMatrix, which was used."
            )
    scale, note = scale_of([fields.get("DistanceUnits", "")], "MetaImage", name)
    if note:
        notes.append(note)
    return StatedGeometry(np.column_stack([directions * lengths, offset[:3]]) * scale, tuple(notes))


def _one_of(fields: Mapping[str, str], names: tuple[str, ...], path: str) -> str | None:
    """Return the value of a field with several names; raises InputImageError if they have different values."""
    values = [fields[name] for name in names if name in fields]
    if any(not np.allclose(_numbers(values[0], path), _numbers(value, path)) for value in values[1:]):
        raise InputImageError(f"{path} has a MetaImage header with several values of {names[0]}; export it again.")
    return values[0] if values else None


def _checked(text: str, count: int, name: str) -> NDArray[np.float64]:
    values = _numbers(text, name)
    if len(values) != count:
        raise InputImageError(f"{name} has a MetaImage header that does not say where its voxels lie; export it again.")
    return values


def _numbers(text: str, name: str) -> NDArray[np.float64]:
    try:
        values = np.array([float(part) for part in text.split()])
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise InputImageError(f"{name} has a MetaImage header whose place in space is not finite; export it again.")
    return values
