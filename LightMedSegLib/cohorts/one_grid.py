"""A region in voxels means the same place in several scans only if they have the same voxels."""

from __future__ import annotations

from math import isclose

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import SAME_SPACING, Grid, orient_axes


def check_grid(volume: Grid, expected: Grid) -> None:
    """Raise InputImageError unless volume has the size, the spacing and the orientation of expected.

    The origin may differ, and the direction within the same anatomical orientation: scans of one protocol are alike in
    voxels, but not in the position of the patient.
    """
    same_spacing = all(
        isclose(one, other, rel_tol=SAME_SPACING) for one, other in zip(volume.spacing, expected.spacing, strict=True)
    )
    if volume.size == expected.size and same_spacing and _orientation(volume) == _orientation(expected):
        return
    raise InputImageError(
        f"The scan has {_text(volume)}, and the region of interest is in those of {_text(expected)}; give each scan a "
        "region of its own, in a table (--roi FILE.csv)."
    )


def _orientation(grid: Grid) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    return orient_axes(grid.direction, "LPS")


def _text(grid: Grid) -> str:
    axes, flipped = _orientation(grid)
    # Where each axis of the volume points to.
    letters = [("LR", "PA", "SI")[axes.index(axis)][flipped[axes.index(axis)]] for axis in range(3)]
    size, spacing = (" x ".join(f"{number:g}" for number in numbers) for numbers in (grid.size, grid.spacing))
    return f"{size} voxels of {spacing} mm ({''.join(letters)})"
