"""Augmentation for a new recipe: mirror images by the names of the structures, lengths by the size of the patch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_SIDES = re.compile(r"\b(left|right)\b")
_OTHER = {"left": "right", "right": "left"}

_GRIDS_IN_PATCH = 4.0
"""Control points of the elastic deformation along the shortest side of a patch."""

_DISPLACEMENT = 0.1
"""Standard deviation of the displacement, as a share of the distance of the control points: it folds nothing."""


def plan_augmentation(names: Sequence[str], patch_mm: Sequence[float], ct: bool) -> dict[str, Any]:
    """Return the section [augmentation].

    names: of the structures, in the order of their values. patch_mm: sides of the patch. ct: intensities are in
    Hounsfield units, and vary little from scanner to scanner.
    """
    grid = min(patch_mm) / _GRIDS_IN_PATCH
    section: dict[str, Any] = {
        "elastic_grid_mm": round(grid, 1),
        "elastic_mm": round(_DISPLACEMENT * grid, 2),
        "translation_mm": round(grid / 3, 1),
    }
    if ct:
        section |= {"brightness": [0.9, 1.1], "contrast": [0.8, 1.25], "gamma": [0.8, 1.25]}
        section |= {"gamma_inverted_probability": 0.0, "bias_field_probability": 0.0}
    pairs = side_pairs(names)
    if pairs is not None:
        section["mirror_axes"] = ["x"]
    if pairs:
        section["mirror_label_swaps"] = [list(pair) for pair in pairs]
    return section


def mirror_reason(names: Sequence[str]) -> str:
    """Return a sentence about the mirror images of plan_augmentation."""
    pairs = side_pairs(names)
    if pairs is None:
        return "No mirror images: a structure has a side, and there is none of the other side."
    if not pairs:
        return "Left and right are mirrored, as no structure is named after a side."
    return "Left and right are mirrored, and these labels change places."


def side_pairs(names: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return the values of structures that mirror each other by their names; None if one has no counterpart."""
    plain = [re.sub(r"[\W_]+", " ", name).strip().casefold() for name in names]
    pairs = []
    for value, name in enumerate(plain, start=1):
        other = _SIDES.sub(lambda side: _OTHER[side[0]], name)
        if other == name:
            continue
        if other not in plain:
            return None
        counterpart = plain.index(other) + 1
        if value < counterpart:
            pairs.append((value, counterpart))
    return pairs
