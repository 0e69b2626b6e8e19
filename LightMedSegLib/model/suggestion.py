"""Which of the models suits a volume, and why: from modality, field of view and intensities. Only a suggestion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.geometry import SLICES, Grid
from LightMedSegLib.core.measured_values import measured_values, sample_of
from LightMedSegLib.model.body_regions import contradicts, regions_of
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.cross_sections import cross_sections, runs
from LightMedSegLib.model.locator import exceeds

HEAD_EXTENT_MM = ((100.0, 90.0, 60.0), (330.0, 330.0, 330.0))
"""Least and largest extent, sorted from the longest axis down, of a volume that may show a head."""

NECK_AREA_MM2 = (3_500.0, 24_000.0)
"""Cross-section of a neck and of a jaw with it: a trunk's is larger; of a head only the vertex is as small."""

TRUNK_AREA_MM2 = 33_000.0
"""A cross-section larger than this is shoulders, chest or abdomen."""

AIRWAY_BODY_MM2 = 27_000.0
"""Through a cross-section no larger than this an airway runs in the neck and the face; lungs lie in larger ones."""

SHORT_AXIS_SLICES = (5, 25)
"""Least and largest number of slices of a short-axis stack of the heart."""

SHORT_AXIS_DISTANCE_MM = (4.5, 14.0)
SHORT_AXIS_FIELD_MM = (200.0, 500.0)
SHORT_AXIS_LENGTH_MM = (45.0, 200.0)

LONG_AXIS = ((0.3, 0.8), (-0.8, -0.4), (-0.8, -0.15))
"""How far the heart points to the left, the front and the feet from its base to its apex: a unit vector, LPS."""

_NECK_LENGTH_MM = 25.0
_HEAD_LENGTH_MM = 60.0
_AIR_BELOW = -500.0
_AIR_FRACTION = 0.01
_LOWEST_HOUNSFIELD = -5_000
_SAMPLES = 96


@dataclass(frozen=True)
class Suggestion:
    """model: the card that suits, None where none does. reason: a sentence for the user, either way."""

    model: ModelCard | None
    reason: str


@dataclass(frozen=True)
class Stack:
    """The slices of a volume: their number, their distance and shorter side in mm, and their unit normal (LPS)."""

    count: int
    distance_mm: float
    field_mm: float
    normal: tuple[float, float, float]

    @classmethod
    def of(cls, grid: Grid) -> Stack:
        """The slices lie across the axis of the longest voxels."""
        axis = int(np.argmax(grid.spacing))
        field = min(grid.size[other] * grid.spacing[other] for other in range(3) if other != axis)
        x, y, z = np.reshape(grid.direction, (3, 3))[:, axis].tolist()
        return cls(grid.size[axis], grid.spacing[axis], field, (x, y, z))


@dataclass(frozen=True)
class Appearance:
    """The properties of a volume that decide which model suits it.

    modality: DICOM's code, or "" where it is not known. extent_mm: size along its axes. body_areas_mm2: of a CT, the
    cross-section of the largest body in each slice from the feet up, airways: whether an airway runs through it, and
    slice_mm their distance; empty otherwise. body_part: DICOM's code, or "". stack: None where the place of the slices
    in the body is not known.
    """

    modality: str
    extent_mm: tuple[float, float, float]
    body_areas_mm2: tuple[float, ...] = ()
    slice_mm: float = 1.0
    airways: tuple[bool, ...] = ()
    body_part: str = ""
    stack: Stack | None = None


def suggest(appearance: Appearance, cards: Sequence[ModelCard]) -> Suggestion:
    """The first of cards that suits, the most specific first; with the reason in words."""
    if not cards:
        return Suggestion(None, "No models are installed.")
    if not appearance.modality:
        return Suggestion(
            None, "Neither headers nor intensities tell what kind of scan this is; choose a model yourself."
        )
    same = [card for card in cards if card.modality == appearance.modality]
    if not same:
        known = ", ".join(sorted({card.modality for card in cards}))
        return Suggestion(None, f"This looks like {appearance.modality}, but the installed models are for {known}.")
    reasons = []
    for card in sorted(same, key=_generality):
        fits, reason = _suits(appearance, card)
        if fits:
            return Suggestion(card, f"{reason}: {card.title}.")
        reasons.append(reason)
    return Suggestion(None, f"No installed model suits: {'; '.join(dict.fromkeys(reasons))}.")


def appearance_of(array: NDArray[Any], spacing: Sequence[float], upward: int = 2, modality: str = "") -> Appearance:
    """What a volume looks like.

    Args:
        array: (z, y, x), any numeric type; only a sample of it is read.
        spacing: mm along x, y, z.
        upward: the axis (0 for x, 2 for z) that runs between feet and head.
        modality: DICOM's code if headers tell it; else "CT" and "MR" are told apart by intensities.
    """
    extent = (array.shape[2] * spacing[0], array.shape[1] * spacing[1], array.shape[0] * spacing[2])
    modality = modality or modality_by_intensity(array)
    if modality != "CT":
        return Appearance(modality, extent)
    sample, steps = _sample(array)
    sample = np.moveaxis(sample, 2 - upward, 0)
    across = [axis for axis in (2, 1, 0) if axis != upward]
    pixel = float(np.prod([spacing[axis] * steps[2 - axis] for axis in across]))
    areas, airways = cross_sections(sample, pixel)
    distance = float(spacing[upward] * steps[2 - upward])
    return Appearance(modality, extent, tuple(areas.tolist()), distance, tuple(airways.tolist()))


def modality_by_intensity(array: NDArray[Any]) -> str:
    """ "CT" or "MR" by intensities, "" where they do not tell: only CT has air near -1000 and nothing far below."""
    values = sample_of(array)
    measured = measured_values(values)
    values = values[(values > measured.above) & (values < measured.below)]
    if not len(values):
        return ""
    if values[0] >= 0:
        return "MR" if values[-1] > 1 else ""
    air = np.searchsorted(values, _AIR_BELOW) / len(values)
    return "CT" if air >= _AIR_FRACTION and values[0] > _LOWEST_HOUNSFIELD else ""


def anatomy_problem(appearance: Appearance, card: ModelCard) -> str:
    """Why a volume of the model's modality cannot show what its card names, in words; "" where that is not known.

    A volume for the head may be a part of one, but not larger; one for the neck must show it.
    """
    regions = regions_of(card.body_region)
    if card.input.largest_extent is not None and card.input.locator is None:
        return ""
    if card.modality == "CT" and "neck" in regions:
        fits, reason = _shows_neck(appearance, card)
        return "" if fits else f"{reason}."
    extent = sorted(appearance.extent_mm, reverse=True)
    if regions == {"head"} and any(value > limit for value, limit in zip(extent, HEAD_EXTENT_MM[1], strict=True)):
        return f"The volume measures {size_text(extent)} mm, more than a head, but the model is for the region Head."
    return ""


def _sample(array: NDArray[Any]) -> tuple[NDArray[Any], list[int]]:
    """A small copy, of every n-th voxel along each axis, and n of each axis."""
    steps = [max(1, size // _SAMPLES) for size in array.shape]
    return np.ascontiguousarray(array[:: steps[0], :: steps[1], :: steps[2]]), steps


def _generality(card: ModelCard) -> tuple[float, bool]:
    extent = float(np.prod(card.input.largest_extent)) if card.input.largest_extent else float("inf")
    # A short-axis stack may be as large as a head, but no head is cut as one.
    return extent, not _is_for_short_axes(card)


def _suits(appearance: Appearance, card: ModelCard) -> tuple[bool, str]:
    fits, reason = _field_of_view(appearance, card)
    # A neck that is seen counts more than a code that somebody chose.
    if fits and card.modality != "CT" and contradicts(appearance.body_part, card.body_region):
        return (
            False,
            f"{card.title} is for the region {card.body_region}, and this is recorded as {appearance.body_part}",
        )
    return fits, reason


def _knows_field_of_view(card: ModelCard) -> bool:
    wanted = {"CT": {"head", "neck"}, "MR": {"head"}}.get(card.modality, set())
    return bool(wanted & regions_of(card.body_region))


def _field_of_view(appearance: Appearance, card: ModelCard) -> tuple[bool, str]:
    extent = sorted(appearance.extent_mm, reverse=True)
    size = size_text(extent)
    if card.input.largest_extent is not None:
        if not exceeds(extent, card.input.largest_extent):
            return True, f"An {appearance.modality} volume of only {size} mm, a crop as this model expects"
        return False, f"{card.title} needs a crop around the structure, and this volume measures {size} mm"
    if _is_for_short_axes(card):
        stack = appearance.stack
        if stack is not None and _is_short_axis(stack):
            return True, f"An {appearance.modality} volume of {stack.count} slices across the heart's long axis"
        return False, f"{card.title} needs a short-axis stack, and these slices do not lie across the heart's long axis"
    if not _knows_field_of_view(card):
        return (
            False,
            f"{card.title} must be chosen by you, as nothing is known here about the region {card.body_region}",
        )
    if card.modality == "CT":
        return _shows_neck(appearance, card)
    low, high = HEAD_EXTENT_MM
    if all(a <= value <= b for a, value, b in zip(low, extent, high, strict=True)):
        return True, f"An {appearance.modality} volume of {size} mm, as large as a head"
    return False, f"{card.title} needs a whole head, and {size} mm is not the size of one"


def _is_for_short_axes(card: ModelCard) -> bool:
    """Whether a model takes the slices of the heart as they were acquired."""
    text = card.body_region.casefold()
    return card.modality == "MR" and card.input.orientation == SLICES and ("heart" in text or "cardi" in text)


def _is_short_axis(stack: Stack) -> bool:
    """Thick slices, oblique to all axes of the body, across a line to the left, the front and the feet."""
    length = stack.count * stack.distance_mm
    sizes = (
        (stack.count, SHORT_AXIS_SLICES),
        (stack.distance_mm, SHORT_AXIS_DISTANCE_MM),
        (stack.field_mm, SHORT_AXIS_FIELD_MM),
        (length, SHORT_AXIS_LENGTH_MM),
    )
    # Slices may be counted from the base or from the apex.
    along = [value if stack.normal[0] >= 0 else -value for value in stack.normal]
    ranges = (*sizes, *zip(along, LONG_AXIS, strict=True))
    return all(low <= value <= high for value, (low, high) in ranges)


def _shows_neck(appearance: Appearance, card: ModelCard) -> tuple[bool, str]:
    """A neck is a long run of small cross-sections: with an airway, with shoulders below, or with a head above."""
    areas = np.array(appearance.body_areas_mm2)
    if len(appearance.airways) == len(areas):
        small = (areas >= NECK_AREA_MM2[0]) & (areas <= AIRWAY_BODY_MM2) & np.array(appearance.airways, dtype=bool)
        if any(_is_long(run, appearance) and not _trunk(areas[run[1] :]) for run in runs(small)):
            return True, "A CT with an airway through a body as narrow as a neck"
    narrow = (areas >= NECK_AREA_MM2[0]) & (areas <= NECK_AREA_MM2[1])
    for first, last in runs(narrow):
        above = (len(areas) - last) * appearance.slice_mm
        # Of a whole leg nothing is above but the trunk; a vertex has nothing above it.
        long = _is_long((first, last), appearance) and not _trunk(areas[last:])
        if long and (_trunk(areas[:first]) or above >= _HEAD_LENGTH_MM):
            return True, "A CT in which the body narrows to a neck"
    return False, f"{card.title} needs a CT that shows the neck, and no cross-section here looks like one"


def _is_long(run: tuple[int, int], appearance: Appearance) -> bool:
    return (run[1] - run[0]) * appearance.slice_mm >= _NECK_LENGTH_MM


def _trunk(areas: NDArray[np.float64]) -> bool:
    return bool((areas > TRUNK_AREA_MM2).any())


def size_text(lengths: Sequence[float]) -> str:
    """Return lengths in mm for people, such as "12 x 10 x 9"."""
    return " x ".join(f"{length:.0f}" for length in lengths)
