"""The time points of a DICOM series: which of the slices at one position was first, and whether they are in time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.io.dicom.tags import CONTRASTS, CONVERT, ECHOES, MOMENTS, SliceTags

SAME_PLACE_MM = 1e-3
"""Slices that are no farther apart along the normal lie at one position."""

_NUMBER_AT = MOMENTS.index("InstanceNumber")


def time_points(folder: Path, slices: Sequence[SliceTags]) -> list[list[SliceTags]]:
    """Return the slices of each time point, in the order of time; one list where no two slices share a position.

    Raises InputImageError, beginning with folder, if a time point lacks a slice, nothing tells the order of time, or
    the slices at one position are echoes or other kinds of image.
    """
    refuse_other_images(folder, slices)
    places = _places(slices)
    counts = sorted({len(place) for place in places})
    if len(counts) > 1:
        raise InputImageError(
            f"{folder} has {counts[0]} to {counts[-1]} DICOM slices at a position; time points lack some, or there are "
            "several scans."
        )
    if any(len({one.moment for one in place}) < len(place) for place in places):
        raise InputImageError(
            f"{folder} has DICOM slices at one position that are equal in {', '.join(MOMENTS[:-1])} and {MOMENTS[-1]}, "
            "so that their order in time is unknown; remove copies of slices, export the series again with these tags, "
            "or put each time point into a folder of its own."
        )
    in_time = [sorted(place, key=lambda one: one.moment) for place in places]
    return [list(point) for point in zip(*in_time, strict=True)]


def order_note(points: Sequence[Sequence[SliceTags]]) -> list[str]:
    """Return a note if the order of time points comes from their numbers alone, as that of echoes may."""
    for place in zip(*points, strict=True):
        times = {(*one.moment[:_NUMBER_AT], *one.moment[_NUMBER_AT + 1 :]) for one in place}
        if len(place) > 1 and len(times) == 1:
            return [
                "Only InstanceNumber tells the slices at one position apart; they were used as time points in that "
                "order, but may be echoes or other kinds of image."
            ]
    return []


def refuse_other_images(folder: Path, slices: Sequence[SliceTags]) -> None:
    """Raise InputImageError, beginning with folder, if slices at one position differ in echo or kind of image."""
    for place in _places(slices):
        if len(place) > 1 and any(one.index is not None for one in place):
            raise InputImageError(
                f"{folder} has a DICOM file with several frames at one position (time points, echoes or other kinds of "
                f"image); {CONVERT}."
            )
        for keyword, *values in zip(CONTRASTS, *(one.contrast for one in place), strict=True):
            if len(set(values)) > 1:
                kind = "echoes" if keyword in ECHOES else "kinds of image"
                raise InputImageError(
                    f"{folder} has {len(set(values))} {kind} at one position (by {keyword}), which are no time points; "
                    "put each into a folder of its own, or choose one in Slicer's DICOM module and segment it there."
                )


def _places(slices: Sequence[SliceTags]) -> list[list[SliceTags]]:
    """Slices at one position together, in the order of the positions along the normal of the first slice."""
    normal = np.cross(slices[0].row, slices[0].column)
    places: list[list[SliceTags]] = []
    for one in sorted(slices, key=lambda one: float(one.position @ normal)):
        if places and float((one.position - places[-1][0].position) @ normal) <= SAME_PLACE_MM:
            places[-1].append(one)
        else:
            places.append([one])
    return places
