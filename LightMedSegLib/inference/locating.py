"""Segmenting a volume that is larger than the model was made for: a locator finds the places, the model sees crops.

A place is where the locator sees the labels of a side, with a margin as in the model's training. The locator sees large
voxels and may miss the end of a structure: a crop at whose border the model still finds something is made larger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.checks.result_warnings import found_labels, odd_labels
from LightMedSegLib.core.errors import InputImageError, ModelPackageError
from LightMedSegLib.core.geometry import Box, Grid, bounding_box, box_of, common_box, grow_box, region_of, union_box
from LightMedSegLib.core.progress import ProgressCallback, part_of
from LightMedSegLib.inference.result import STAGES, Segmentation, as_image
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.model.locator import exceeds

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.model.locator import Locator, Side
    from LightMedSegLib.model.package import Model

FIND_SHARE = 0.6
"""Of the time, for the locator."""

PASSES = 3
"""Crops of one side at most: the first, and two that reach further."""

_TRUSTED = 0.55
"""Least share of the locator's structures that must be found and plausible: of those of the brain, necks, chests and
abdomens gave up to 0.47, and heads, also of thick slices, at least 0.59."""

_AGREEMENT = 0.25
"""Least Dice of the locator's coarse labels and the model's."""

SegmentCrop = Callable[[Sequence["sitk.Image"], "Side", ProgressCallback], Segmentation]
"""The result in a crop; the first image is the crop, the others may be larger."""


def is_located(card: ModelCard, volume: Grid, box: Box) -> bool:
    """Whether the card has a locator and box of the volume is larger than the model was made for."""
    lengths = [(last - first) * mm for (first, last), mm in zip(box, volume.spacing, strict=True)]
    return card.input.locator is not None and exceeds(lengths, card.input.largest_extent)


def locator_model(card: ModelCard, resolve: Callable[[str], Model]) -> Model:
    """The model that finds the places for the card; raises ModelPackageError where it cannot be used."""
    name = _locator(card).model
    try:
        model = resolve(name)
    except ModelPackageError as error:
        raise ModelPackageError(
            f"{card.identifier} finds its place in a volume of this size with the model {name}, which cannot be used: "
            f"{error}"
        ) from None
    if model.card.input.locator is not None:
        raise ModelPackageError(f"{model.card.identifier} cannot find places for {card.identifier}: it has a locator.")
    return model


def found_places(found: Segmentation, card: ModelCard, box: Box) -> list[tuple[Side, Box | None]]:
    """Each side of the card's locator with the box of its labels in found, None where they are not or implausible.

    found: the locator's result, of which only box was segmented. Raises ModelPackageError for a locator that lacks a
    label that the card names, InputImageError where nothing is found.
    """
    import SimpleITK as sitk

    locator = _locator(card)
    values = {label.name: label.value for label in found.card.labels}
    missing = [name for side in locator.sides for name in side.labels if name not in values]
    if missing:
        raise ModelPackageError(
            f"{card.identifier} looks for {missing[0]!r} with {found.card.identifier}, which has no such label; use "
            "the version that came with the program."
        )
    labels, grid = np.asarray(sitk.GetArrayViewFromImage(found.labelmap)), Grid.of(found.labelmap)
    seen = found_labels(labels, grid, box)
    plausible = seen.keys() - odd_labels(seen, found.card).keys()
    trusted = len(plausible) >= _TRUSTED * len(values)
    wanted = [[values[name] for name in side.labels if values[name] in plausible and trusted] for side in locator.sides]
    if not any(wanted):
        names = " and no ".join(name for side in locator.sides for name in side.labels)
        raise InputImageError(
            f"{found.card.title} finds no {names} here, so {card.title} has no place to segment; check that the volume "
            f"shows the region {card.body_region}, or choose a region of interest around the structure."
        )
    return [
        (side, box_of(bounding_box(np.isin(labels, own))) if own else None)
        for side, own in zip(locator.sides, wanted, strict=True)
    ]


def missing_sides(places: Sequence[tuple[Side, Box | None]], card: ModelCard) -> Iterator[str]:
    """Warnings about the sides that were not found."""
    for side, place in places:
        if place is None:
            yield f"{' and '.join(side.labels)} was not found, so {card.title} is empty there."


def disagreements(labels: NDArray[np.uint8], found: Segmentation, card: ModelCard) -> Iterator[str]:
    """Warnings about the sides where labels (z, y, x), as segment_places gives them, and the locator's have little in
    common."""
    import SimpleITK as sitk

    seen, count = sitk.GetArrayViewFromImage(found.labelmap), len(card.labels)
    values = {label.name: label.value for label in found.card.labels}
    for number, side in enumerate(_locator(card).sides):
        own = (labels > number * count) & (labels <= (number + 1) * count)
        theirs = np.isin(seen, [values[name] for name in side.labels])
        common = 2 * np.count_nonzero(own & theirs)
        if common < _AGREEMENT * (np.count_nonzero(own) + np.count_nonzero(theirs)):
            yield (
                f"{card.title} and {found.card.title} have little in common at {' and '.join(side.labels)}; check the "
                "result there."
            )


def segment_places(
    images: Sequence[sitk.Image],
    places: Sequence[tuple[Side, Box | None]],
    wanted: Box,
    card: ModelCard,
    segment: SegmentCrop,
    progress: ProgressCallback,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, list[list[Segmentation]]]:
    """Labels (z, y, x) of the first image with the values of located_card, their doubt, and each side's results.

    The last result of a side is the one used, as far as it lies in the box that is wanted. Where crops overlap, the
    label of the first side and the greatest doubt stay. The doubt is None where the results have none.
    """
    import SimpleITK as sitk

    labels = np.zeros(Grid.of(images[0]).shape, dtype=np.uint8)
    doubt: NDArray[np.uint8] | None = None
    results: list[list[Segmentation]] = []
    for number, (side, place) in enumerate(places):
        if place is None:
            continue
        report = part_of(progress, number / len(places), (number + 1) / len(places), _prefix(side))
        crops = list(_crops(images, place, side, _locator(card).margin_mm, segment, report))
        results.append([result for _, result in crops])
        crop, result = crops[-1]
        box = common_box(crop, wanted)
        seen, kept = region_of(box, crop), region_of(box)
        own, part = sitk.GetArrayViewFromImage(result.labelmap)[seen], labels[kept]
        free = (part == 0) & (own > 0)
        part[free] = own[free] + np.uint8(number * len(card.labels))
        if result.doubt is not None:
            doubt = np.zeros_like(labels) if doubt is None else doubt
            part = doubt[kept]
            np.maximum(part, sitk.GetArrayViewFromImage(result.doubt)[seen], out=part)
    return labels, doubt, results


def located_result(
    labels: NDArray[np.uint8],
    doubt: NDArray[np.uint8] | None,
    image: sitk.Image,
    card: ModelCard,
    parts: Sequence[Segmentation],
    warnings: Sequence[str],
    notes: Sequence[str],
) -> Segmentation:
    """The result of labels and doubt (z, y, x) on the voxels of image; parts: what was segmented for it, in order."""
    timings = {stage: sum(part.timings[stage] for part in parts) for stage in STAGES}
    told = list(dict.fromkeys([*warnings, *notes]))
    last = parts[-1]
    return Segmentation(
        as_image(labels, image),
        located_card(card),
        timings,
        last.device,
        told,
        last.explanation,
        list(warnings),
        None if doubt is None else as_image(doubt, image),
    )


def _crops(
    images: Sequence[sitk.Image],
    place: Box,
    side: Side,
    margin_mm: float,
    segment: SegmentCrop,
    progress: ProgressCallback,
) -> Iterator[tuple[Box, Segmentation]]:
    """The crops around a place with their results, each larger than the one before; the last one counts."""
    import SimpleITK as sitk

    volume = Grid.of(images[0])
    box = grow_box(place, margin_mm, volume)
    for number in range(PASSES):
        (x0, x1), (y0, y1), (z0, z1) = box
        seen = [images[0][x0:x1, y0:y1, z0:z1], *images[1:]]
        report = part_of(progress, number / PASSES, (number + 1) / PASSES)
        result = segment([_mirrored(image) for image in seen] if side.mirrored else seen, side, report)
        yield box, result
        found = bounding_box(sitk.GetArrayViewFromImage(result.labelmap))
        own = box_of(found, box)
        if found[0].stop == 0 or union_box(box, grow_box(own, margin_mm / 2, volume)) == box:
            return
        box = union_box(box, grow_box(own, margin_mm, volume))


def _mirrored(image: sitk.Image) -> sitk.Image:
    """The image with its geometry reflected at the plane x = 0, so that left is where right was; same voxels."""
    import SimpleITK as sitk

    grid, reflection = Grid.of(image), np.diag([-1.0, 1.0, 1.0])
    result = sitk.Image(image)
    result.SetDirection((reflection @ np.reshape(grid.direction, (3, 3))).ravel().tolist())
    result.SetOrigin((reflection @ np.array(grid.origin)).tolist())
    return result


def _prefix(side: Side) -> str:
    return f"{side.name}: " if side.name else ""


def _locator(card: ModelCard) -> Locator:
    assert card.input.locator is not None
    return card.input.locator
