"""The slices of a DICOM series as one stack: their order and the geometry of the volume, from the slice positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.tags import SliceTags, slices_of
from LightMedSegLib.io.dicom.time_order import SAME_PLACE_MM, order_note, refuse_other_images, time_points
from LightMedSegLib.io.headers.stated_geometry import StatedGeometry, length_text, same_lengths
from LightMedSegLib.io.volume_checks import check_frame

SPACING_TOLERANCE = 0.1
"""Distances between slices may differ by this fraction of their median (scanners round positions)."""

TILT_TOLERANCE = 0.01
"""Allowed sideways shift of a slice against the first, as a fraction of the distance along the normal."""

_DISTANCE_TOLERANCE = 0.01
"""SpacingBetweenSlices may differ by this fraction from the distance of the positions without a note."""

MONOCHROME_1 = "MONOCHROME1"
_UNITS_IN_HEADER = ("CT", "PT")
"""Modalities with measured values, whatever their display."""


@dataclass(frozen=True)
class Stack:
    """slices: in the order of their position along the normal. stated: the geometry of their volume."""

    slices: tuple[SliceTags, ...]
    stated: StatedGeometry

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the slices, in order."""
        return tuple(one.file for one in self.slices)


def stack_of(folder: Path, files: Sequence[str], frame: int | None = None) -> Stack:
    """Return the stack of the slices in files; raises InputImageError, beginning with folder, if they are no stack.

    frame: which of several time points, from 0.
    """
    slices = [one for file in files for one in slices_of(file, folder)]
    refuse_damaged(folder, sum(not one.complete for one in slices))
    notes: list[str] = []
    if frame is not None:
        points = time_points(folder, slices)
        check_frame(frame, len(points), str(folder))
        slices, notes = points[frame], order_note(points)
    if len(slices) < 2:
        raise InputImageError(f"{folder} has one DICOM slice in the chosen series; a volume needs several.")
    first = slices[0]
    directions = np.array([[*one.row, *one.column] for one in slices])
    if np.abs(directions - directions[0]).max() > 1e-3:
        raise InputImageError(f"{folder} has DICOM slices that are not parallel; give a folder with one stack.")
    spacings = np.array([one.spacing for one in slices])
    if np.abs(spacings - spacings[0]).max() > 1e-3 * spacings[0].max():
        raise InputImageError(f"{folder} has DICOM slices of different pixel spacing; give a folder with one stack.")
    refuse_other_images(folder, slices)
    normal = np.cross(first.row, first.column)
    slices.sort(key=lambda one: float(one.position @ normal))
    positions = np.array([one.position for one in slices])
    step = _distance(folder, positions - positions[0], normal)
    axes = np.column_stack([first.row * first.spacing[0], first.column * first.spacing[1], normal * step])
    matrix = np.column_stack([axes, positions[0]])
    return Stack(tuple(slices), StatedGeometry(matrix, (*_notes(slices, step), *notes)))


def refuse_damaged(folder: Path, count: int) -> None:
    """Raise InputImageError if the count of damaged slices is not 0."""
    if count:
        raise InputImageError(
            f"{folder} has {count} DICOM slice(s) that are damaged or incomplete; copy or export the series again."
        )


def _distance(folder: Path, offsets: np.ndarray, normal: np.ndarray) -> float:
    """Return the mean distance of the slices; raises InputImageError unless they are evenly spaced and not sheared."""
    along = offsets @ normal
    steps = np.diff(along)
    step = float(np.median(steps))
    if min(float(steps.min()), step) <= SAME_PLACE_MM:
        raise InputImageError(
            f"{folder} has several DICOM slices at one position (time points or echoes?); keep one of each, or segment "
            "every time point with --all-frames."
        )
    if np.abs(steps - step).max() > SPACING_TOLERANCE * step:
        raise InputImageError(
            f"{folder} has DICOM slices at uneven distances ({steps.min():.2f} to {steps.max():.2f} mm): slices are "
            "missing or belong to different stacks."
        )
    sideways = np.linalg.norm(offsets - np.outer(along, normal), axis=1)
    if sideways.max() > TILT_TOLERANCE * np.abs(along).max():
        raise InputImageError(
            f"{folder} has DICOM slices stacked at a slant (tilted gantry); resample it to a rectangular grid first."
        )
    return float(along[-1] / len(steps))


def _notes(slices: Sequence[SliceTags], step: float) -> list[str]:
    notes = []
    first = slices[0]
    # A negative one, from nuclear medicine, says in which order the slices were taken.
    wrong = [
        one.distance
        for one in slices
        if one.distance is not None and abs(abs(one.distance) - step) > _DISTANCE_TOLERANCE * step
    ]
    if wrong:
        notes.append(
            f"The DICOM series gives a SpacingBetweenSlices of {wrong[0]:.4g} mm, but its slices lie {step:.4g} mm "
            "apart by their positions, which were used."
        )
    if first.imager_spacing is not None and not same_lengths(first.imager_spacing, first.spacing):
        notes.append(
            f"The DICOM series gives an ImagerPixelSpacing of {length_text(first.imager_spacing)} and a PixelSpacing "
            f"of {length_text(first.spacing)}, which was used."
        )
    if len({one.frame for one in slices}) > 1:
        notes.append(
            "The DICOM slices name several frames of reference; their positions were used as if they were in one."
        )
    if any(one.photometric == MONOCHROME_1 and one.modality not in _UNITS_IN_HEADER for one in slices):
        notes.append(
            "The DICOM slices are MONOCHROME1, to be shown inverted; their values were used as they are stored."
        )
    return notes
