"""What is looked at before a run: sentences that warn and say what to do. Nothing here stops anybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.gui.segment import guess, memory
from LightMedSegLib.mrml.regions import roi_index_box
from LightMedSegLib.mrml.segmentations.result_record import is_unedited
from LightMedSegLib.mrml.volumes import check_volume_node, volume_grid

if TYPE_CHECKING:
    from LightMedSegLib.model.card import ModelCard

_COARSE = 2.0


def warnings_before_run(
    volumes: Sequence[Any], card: ModelCard, roi: Any = None, output: Any = None, overwrite: bool = False
) -> list[str]:
    """Everything worth knowing before volumes (one node per channel) are segmented, most important first.

    Quick enough for every change of the panel: of the voxels only a thin sample is read.
    """
    problem = input_problem(volumes, roi)
    if problem:
        return [problem]
    warnings = [*_modality_warnings(volumes, card), *_same_volume_twice(volumes)]
    shape, spacing = _region(volumes[0], roi)
    warnings += _resolution_warnings(volumes[0], spacing, card)
    warnings += _extent_warnings(volumes[0], shape, spacing, card)
    warnings += _body_part_warnings(volumes[0], card)
    warnings += _memory_warnings(volumes[0], shape, spacing, card)
    warnings += _shown_volume_warnings(volumes[0])
    warnings += _output_warnings(output, overwrite)
    return warnings


def input_problem(volumes: Sequence[Any], roi: Any = None) -> str:
    """Why these volumes and this region cannot be segmented at all, "" if they can."""
    try:
        for volume in volumes:
            check_volume_node(volume)
        if roi is not None:
            roi_index_box(roi, volumes[0])
    except InputImageError as error:
        return str(error)
    return ""


def region_shape(volume: Any, roi: Any) -> tuple[int, int, int]:
    """Voxels (i, j, k) of what will be segmented."""
    if roi is None:
        i, j, k = volume.GetImageData().GetDimensions()
        return (i, j, k)
    (i0, i1), (j0, j1), (k0, k1) = roi_index_box(roi, volume)
    return (i1 - i0, j1 - j0, k1 - k0)


def _region(volume: Any, roi: Any) -> tuple[tuple[int, int, int], tuple[float, float, float]]:
    return region_shape(volume, roi), volume_grid(volume).spacing


def _modality_warnings(volumes: Sequence[Any], card: ModelCard) -> Iterator[str]:
    for volume in volumes:
        found = guess.modality(volume)
        if found == "not CT" and card.modality == "CT":
            yield _("'{volume}' does not look like CT (no negative values), but the model was trained on CT.").format(
                volume=volume.GetName()
            )
        elif found not in ("", "not CT", card.modality):
            yield _("'{volume}' looks like {found}, but the model was trained on {expected}.").format(
                volume=volume.GetName(), found=found, expected=card.modality
            )


def _same_volume_twice(volumes: Sequence[Any]) -> Iterator[str]:
    if len({volume.GetID() for volume in volumes}) < len(volumes):
        yield _("The same volume is chosen for several inputs of the model; choose a different scan for each.")


def _resolution_warnings(volume: Any, spacing: Sequence[float], card: ModelCard) -> Iterator[str]:
    coarsest, expected = max(spacing), max(card.input.spacing)
    if coarsest > _COARSE * expected:
        yield _(
            "The voxels of '{volume}' are up to {coarsest:.1f} mm long; the model sees {expected:.1f} mm, so small "
            "structures may be missed."
        ).format(volume=volume.GetName(), coarsest=coarsest, expected=expected)


def _extent_warnings(volume: Any, shape: Sequence[int], spacing: Sequence[float], card: ModelCard) -> Iterator[str]:
    if card.input.largest_extent is None:
        return
    # Sorted, because the axes of the volume may be in any order.
    seen = sorted(count * length for count, length in zip(shape, spacing, strict=True))
    largest = sorted(card.input.largest_extent)
    if any(value > limit for value, limit in zip(seen, largest, strict=True)):
        yield _(
            "What will be segmented measures {seen} mm, but the model is made for volumes of up to {limit} mm; "
            "choose a region of interest around the structure."
        ).format(seen=_size_text(seen), limit=_size_text(largest))


def _body_part_warnings(volume: Any, card: ModelCard) -> Iterator[str]:
    found = guess.dicom_value(volume, guess.BODY_PART_TAG)
    part, region = _letters(found), _letters(card.body_region)
    if found and part not in region and region not in part:
        yield _("'{volume}' was recorded as {found}, but the model is for the region {region}.").format(
            volume=volume.GetName(), found=found, region=card.body_region
        )


def _memory_warnings(volume: Any, shape: Sequence[int], spacing: Sequence[float], card: ModelCard) -> Iterator[str]:
    needed = memory.needed_bytes(shape, spacing, card, volume.GetImageData().GetScalarSize())
    free = memory.available_bytes()
    if free is not None and needed > free:
        yield _(
            "This needs about {needed:.1f} GB of memory, but only {free:.1f} GB are free; close other programs or "
            "choose a region of interest."
        ).format(needed=needed / 1e9, free=free / 1e9)


def _shown_volume_warnings(volume: Any) -> Iterator[str]:
    if len(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")) < 2:
        return
    shown = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
    node = slicer.mrmlScene.GetNodeByID(shown) if shown else None
    if node is not None and node is not volume:
        yield _("'{volume}' will be segmented, while the slice views show '{shown}'.").format(
            volume=volume.GetName(), shown=node.GetName()
        )


def _output_warnings(output: Any, overwrite: bool) -> Iterator[str]:
    if output is None or output.GetSegmentation().GetNumberOfSegments() == 0 or is_unedited(output):
        return
    if overwrite:
        yield _("'{output}' holds edits, which this run will replace.").format(output=output.GetName())
    else:
        yield _("'{output}' holds edits and stays as it is; the result goes into a new segmentation.").format(
            output=output.GetName()
        )


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalpha())


def _size_text(lengths: Sequence[float]) -> str:
    return " x ".join(f"{length:.0f}" for length in lengths)
