"""Warnings about volumes that do not suit a model, the same in every interface. None of them prevents a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from LightMedSegLib.checks.scan_facts import ScanFacts, look_at_image
from LightMedSegLib.core.geometry import SLICES, Box, Grid
from LightMedSegLib.model.body_regions import contradicts, regions_of
from LightMedSegLib.model.drafts import UNKNOWN_MODALITY
from LightMedSegLib.model.locator import exceeds
from LightMedSegLib.model.suggestion import anatomy_problem, size_text

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard

_COARSE = 2.0


def scan_warnings(
    scans: Sequence[ScanFacts], card: ModelCard, region: Sequence[int] | None = None, same_volume: bool = False
) -> list[str]:
    """Return the warnings about volumes (one per channel) before they are segmented, most important first.

    region: size (x, y, z) in voxels of the segmented part, None for all. same_volume: one volume was given twice.
    """
    first = scans[0]
    warnings: list[str] = []
    for number, scan in enumerate(scans):
        name = "The volume" if len(scans) == 1 else f"Volume {number + 1} ({card.input.channels[number].name})"
        warnings += [*_modality(scan, name, card), *_values(scan, name, card)]
    if same_volume:
        warnings.append("The same volume is given for several inputs of the model; give a different scan for each.")
    return [*warnings, *_resolution(first, card), *_extent(first, card, region), *_anatomy(first, card, region)]


def image_warnings(images: Sequence[sitk.Image], card: ModelCard, roi: Box | None = None) -> list[str]:
    """Return scan_warnings for images; roi is the box of voxels that is segmented."""
    region = None if roi is None else [last - first for first, last in roi]
    same = any(_same_voxels(first, second) for first, second in combinations(images, 2))
    return scan_warnings([look_at_image(image) for image in images], card, region, same)


def _same_voxels(first: sitk.Image, second: sitk.Image) -> bool:
    import SimpleITK as sitk

    if first is second:
        return True
    same_grid = Grid.of(first) == Grid.of(second)
    return same_grid and bool(np.array_equal(*(sitk.GetArrayViewFromImage(image) for image in (first, second))))


def _modality(scan: ScanFacts, name: str, card: ModelCard) -> Iterator[str]:
    found = scan.appearance.modality
    guessed_mr = found == "MR" and not scan.recorded
    if card.modality == "CT" and not scan.negative and (guessed_mr or found in ("", "CT")):
        yield f"{name} does not look like CT (no negative values), but the model was trained on CT."
    elif found not in ("", card.modality) and not guessed_mr and card.modality != UNKNOWN_MODALITY:
        yield f"{name} looks like {found}, but the model was trained on {card.modality}."


def _values(scan: ScanFacts, name: str, card: ModelCard) -> Iterator[str]:
    own = f"{name[0].lower()}{name[1:]}"
    if card.modality == "CT" and scan.appearance.modality in ("CT", "") and scan.negative and not scan.hounsfield:
        yield (
            f"The values of {own} are not Hounsfield units (air -1000, soft tissue 0 to 100); correct their offset or "
            "scale."
        )
    if scan.labels:
        yield f"{name} looks like a labelmap (only a few different values, all whole); give the scan itself."
    if scan.empty:
        yield (
            f"{scan.empty:.0%} of the slices of {own} along an axis hold only zeros; check that the scan is complete, "
            "because structures there are missed."
        )
    if scan.plateau is not None:
        value, share = scan.plateau
        yield (
            f"{share:.0%} of the voxels of {own} have the same value {value:g}, amid those of tissue; if it is "
            "padding, replace it with the value of air."
        )


def _resolution(scan: ScanFacts, card: ModelCard) -> Iterator[str]:
    coarsest, expected = max(scan.spacing), max(card.input.spacing)
    if card.input.orientation == SLICES:
        # Thick slices are what such a model was trained on; in their plane it needs the detail.
        coarsest, expected = sorted(scan.spacing)[1], max(card.input.spacing[:2])
    if coarsest > _COARSE * expected:
        yield (
            f"The voxels of the volume are up to {coarsest:.1f} mm long; the model sees {expected:.1f} mm, so small "
            "structures may be missed."
        )


def _extent(scan: ScanFacts, card: ModelCard, region: Sequence[int] | None) -> Iterator[str]:
    largest = card.input.largest_extent
    if largest is None or card.input.locator is not None:
        return
    lengths = scan.appearance.extent_mm
    if region is not None:
        x, y, z = (count * length for count, length in zip(region, scan.spacing, strict=True))
        lengths = (x, y, z)
    if exceeds(lengths, largest):
        yield (
            f"The region to segment measures {size_text(sorted(lengths))} mm, but the model is made for volumes of up "
            f"to {size_text(sorted(largest))} mm; choose a region of interest around the structure."
        )


def _anatomy(scan: ScanFacts, card: ModelCard, region: Sequence[int] | None) -> Iterator[str]:
    seen = scan.appearance
    # Of another modality, or with wrong values, this would be a guess; they are named already.
    own = ("CT",) if card.modality == "CT" and scan.hounsfield else ("MR", "") if card.modality == "MR" else ()
    looked = region is None and seen.modality in own
    problem = anatomy_problem(seen, card) if looked else ""
    # The visible anatomy counts more than a code that a person chose.
    neck_seen = looked and not problem and card.modality == "CT" and "neck" in regions_of(card.body_region)
    if contradicts(seen.body_part, card.body_region) and not neck_seen:
        yield f"The volume was recorded as {seen.body_part}, but the model is for the region {card.body_region}."
    elif problem:
        yield problem
