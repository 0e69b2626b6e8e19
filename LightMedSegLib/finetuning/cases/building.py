"""Construction of a case from a volume and its corrected labelmap: on the model grid, without identity."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import InputImageError, TrainingDataError
from LightMedSegLib.core.geometry import Box, Grid, bounding_box, clip_box, grow_box
from LightMedSegLib.core.labels import Label
from LightMedSegLib.evaluation.metrics import dice
from LightMedSegLib.finetuning.cases.record import BaselineDice, CaseRecord, input_description
from LightMedSegLib.finetuning.cases.same_scan import array_hash, volume_hash
from LightMedSegLib.finetuning.cases.stored_case import StoredCase
from LightMedSegLib.inference.locating import is_located
from LightMedSegLib.io.labelmaps.values import as_labelmap, check_known
from LightMedSegLib.model.drafts import is_draft
from LightMedSegLib.model.suggestion import size_text

if TYPE_CHECKING:
    import SimpleITK as sitk

    from LightMedSegLib.io.input_volumes import InputVolume
    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.model.package import Model

_NOT_YET = "0" * 64  # the store fills in id, numbers and hash


def build_case(
    image: InputVolume | Sequence[InputVolume],
    correction: sitk.Image,
    model: Model,
    *,
    reviewed_labels: Sequence[int] | None = None,
    new_labels: Sequence[Label] = (),
    absent: Sequence[int] = (),
    reviewed: NDArray[np.bool_] | None = None,
    roi: Box | None = None,
    prediction: sitk.Image | None = None,
    device: str = "auto",
) -> StoredCase:
    """Return a case for :meth:`store.CaseStore.add`.

    Args:
        image: the volume, or one per channel of the model: files, DICOM folders or SimpleITK images.
        correction: labelmap on the volume's grid, with the model's label values and those of new_labels.
        model: the model that made the segmentation, loaded.
        reviewed_labels: the values that the person reviewed; None for all of the model and new_labels. All other
            structures count as unknown and are not learnt.
        new_labels: structures that the model does not have yet, with the values after its last label.
        absent: reviewed values that the person confirms are not in this volume. The gate reports a reviewed label
            without voxels as a mistake unless it is confirmed.
        reviewed: bool (z, y, x) on the volume's grid, the reviewed voxels; None for all.
        roi: the region that was segmented, as for :func:`LightMedSegLib.inference.segmentation.segment`.
        prediction: the untouched prediction on the volume's grid; None to segment the volume now. Its Dice with the
            correction is the baseline Dice of the record; a draft has none.
        device: for that prediction.

    The case contains only the reviewed part with a margin of half a patch. Raises TrainingDataError for a correction
    on another grid, values without a label, no reviewed voxel or a volume too large for a model that segments crops,
    InputImageError for an unusable volume.
    """
    import SimpleITK as sitk

    from LightMedSegLib.inference.engine import ROI_MARGIN_MM
    from LightMedSegLib.inference.preprocessing import prepare_labelmap, prepare_volume
    from LightMedSegLib.io.input_volumes import input_volumes

    images = input_volumes(image)
    grid = Grid.of(images[0])
    problem = crop_problem(model.card, grid, roi)
    if problem:
        raise TrainingDataError(problem)
    labels = _all_labels(model.card, new_labels)
    values = tuple(sorted(reviewed_labels if reviewed_labels is not None else labels))
    truth = _checked_values(correction, grid, labels, values, absent)
    mask = _reviewed_mask(reviewed, roi, grid)
    trial = None
    if not is_draft(model.card):
        trial = _baseline_dice(images, truth, mask, model, values, labels, roi, prediction, device)
    seen = grow_box(clip_box(roi, grid), ROI_MARGIN_MM, grid) if roi is not None else None
    prepared = prepare_volume(images, model.card.input, seen)
    own = prepared.grid_map.model
    labelled = np.asarray(prepare_labelmap(sitk.Cast(correction, sitk.sitkUInt8), own), dtype=np.uint8)
    known = np.asarray(prepare_labelmap(grid.image(mask.astype(np.uint8)), own)) > 0
    if not known.any():
        raise TrainingDataError("No voxel was reviewed; choose a region or slices that meet the volume.")
    part = _part_to_keep(known, model.card.input.patch)
    kept = known[part]
    voxels = prepared.array[(slice(None), *part)].astype(np.float16)
    record = CaseRecord(
        case_id="0" * 16,
        number=1,
        revision=1,
        added=datetime.date.today().isoformat(),
        input=input_description(model.card),
        labels=tuple(labels.values()),
        reviewed=values,
        absent=tuple(sorted(absent)),
        shape=(kept.shape[0], kept.shape[1], kept.shape[2]),
        reviewed_voxels=int(np.count_nonzero(kept)),
        tensors_sha256=_NOT_YET,
        baseline_dice=trial,
        scan=tuple(volume_hash(volume) for volume in images),
        part=array_hash(voxels),
    )
    stored = np.where(kept, labelled[part], np.uint8(0))
    return StoredCase(record, voxels, stored, kept)


def crop_problem(card: ModelCard, volume: Grid, roi: Box | None) -> str:
    """Why a volume, or the region of it that was segmented, is too large to be learnt from; "" where it is not.

    A model with a locator segments crops, each normalised on its own, and learns from nothing else.
    """
    box = volume.box if roi is None else clip_box(roi, volume)
    if not is_located(card, volume, box):
        return ""
    return (
        f"{card.title} is fine-tuned on crops of up to {size_text(card.input.largest_extent or ())} mm around one "
        "structure; choose such a region of interest, segment it and correct that result."
    )


def _all_labels(card: ModelCard, new_labels: Sequence[Label]) -> dict[int, Label]:
    labels = {label.value: label for label in card.labels}
    for label in new_labels:
        if label.value != len(labels) + 1:
            raise TrainingDataError(
                f"The new label {label.name!r} must have the value {len(labels) + 1}, not {label.value}."
            )
        if label.name.casefold() in {known.name.casefold() for known in labels.values()}:
            raise TrainingDataError(f"The model has a label {label.name!r} already; give the new one another name.")
        labels[label.value] = label
    return labels


def _checked_values(
    correction: sitk.Image, grid: Grid, labels: dict[int, Label], reviewed: Sequence[int], absent: Sequence[int]
) -> NDArray[np.uint8]:
    import SimpleITK as sitk

    if not grid.same_as(Grid.of(correction)):
        raise TrainingDataError("The correction is not on the volume's grid; resample it to the volume first.")
    try:
        correction = as_labelmap(correction, "The correction")
        check_known(correction, labels, "The correction")
    except InputImageError as error:
        raise TrainingDataError(str(error)) from None
    truth = sitk.GetArrayFromImage(correction)
    for value in (*reviewed, *absent):
        if value not in labels:
            raise TrainingDataError(f"There is no label {value} that could be reviewed.")
    for value in absent:
        if value not in reviewed or (truth == value).any():
            raise TrainingDataError(f"The label {labels[value].name!r} is confirmed absent, but it is not.")
    if not reviewed:
        raise TrainingDataError("No label was reviewed; choose at least one.")
    return truth.astype(np.uint8)


def _reviewed_mask(reviewed: NDArray[np.bool_] | None, roi: Box | None, grid: Grid) -> NDArray[np.bool_]:
    mask = np.ones(grid.shape, dtype=bool) if reviewed is None else np.array(reviewed, dtype=bool)
    if mask.shape != grid.shape:
        raise TrainingDataError("The reviewed region does not have the volume's size.")
    if roi is not None:
        (i0, i1), (j0, j1), (k0, k1) = clip_box(roi, grid)
        inside = np.zeros_like(mask)
        inside[k0:k1, j0:j1, i0:i1] = True
        mask &= inside
    if not mask.any():
        raise TrainingDataError("No voxel was reviewed; choose a region or slices that meet the volume.")
    return mask


def _baseline_dice(
    images: list[sitk.Image],
    truth: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    model: Model,
    values: Sequence[int],
    labels: dict[int, Label],
    roi: Box | None,
    prediction: sitk.Image | None,
    device: str,
) -> BaselineDice:
    import SimpleITK as sitk

    if prediction is None:
        from LightMedSegLib.inference.segmentation import segment

        prediction = segment(images, model, device, roi).labelmap
    untouched = np.asarray(sitk.GetArrayViewFromImage(prediction))
    if untouched.shape != truth.shape:
        raise TrainingDataError("The untouched prediction does not have the volume's size.")
    known = {label.value for label in model.card.labels}
    scores = {
        labels[value].name: float(dice((untouched == value) & mask, (truth == value) & mask))
        for value in values
        if value in known
    }
    return BaselineDice(model.card.identifier, scores)


def _part_to_keep(known: NDArray[np.bool_], patch: tuple[int, int, int]) -> tuple[slice, ...]:
    """Return the bounding box of the reviewed voxels, grown by half a patch."""
    return tuple(
        slice(max(0, along.start - size // 2), along.stop + size // 2)
        for along, size in zip(bounding_box(known), patch, strict=True)
    )
