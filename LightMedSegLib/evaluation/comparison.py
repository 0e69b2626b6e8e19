"""Comparison of a segmentation with a reference: files, labelmaps in memory, or results of segment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.evaluation import metrics
from LightMedSegLib.evaluation.metrics import LabelMetrics
from LightMedSegLib.io.labelmaps.placing import on_common_grid, on_grid
from LightMedSegLib.io.labelmaps.reading import Labelmap, Meaning, labelmap_of, read_labelmap
from LightMedSegLib.io.labelmaps.two import with_names_of
from LightMedSegLib.io.labelmaps.values import present_values
from LightMedSegLib.model.store import resolve_model

if TYPE_CHECKING:
    from LightMedSegLib.core.labels import Label
    from LightMedSegLib.model.card import ModelCard
    from LightMedSegLib.model.package import Model


@runtime_checkable
class Labelled(Protocol):
    """A labelmap with the card that names its labels, as segment returns it."""

    @property
    def labelmap(self) -> sitk.Image:
        """UInt8 labelmap."""

    @property
    def card(self) -> ModelCard:
        """The card of the model that made it."""


AnySegmentation: TypeAlias = str | Path | sitk.Image | Labelled
"""A labelmap or .seg.nrrd file, a labelmap in memory, or a result of segment."""


def evaluate(
    segmentation: AnySegmentation,
    reference: AnySegmentation,
    model: str | Path | Model | None = None,
    *,
    tolerance_mm: float = 1.0,
) -> list[LabelMetrics]:
    """Return Dice, HD95, NSD and volumes of each label of a segmentation and a reference on the same grid.

    Args:
        segmentation: labelmap or .seg.nrrd file, SimpleITK labelmap, or a result of segment.
        reference: the same, taken as the truth.
        model: compare the labels of this model; None for all labels that the two name or contain.
        tolerance_mm: of NSD.

    Segments with names are matched by name, all others by value; they are in the order of their values. A .seg.nrrd
    file that was cropped to its segments is placed on the grid. evaluation.metrics lists the conventions.

    Raises InputImageError: a file that is no segmentation, different grids, names and values that contradict each
    other, values that the model does not have, both empty. ModelPackageError: a model that does not exist.
    """
    return compare(segmentation, reference, model, tolerance_mm=tolerance_mm).labels


@dataclass(frozen=True)
class Comparison:
    """The metrics of each label, and sentences about labels that were not as expected."""

    labels: list[LabelMetrics]
    notes: tuple[str, ...]


def compare(
    segmentation: AnySegmentation,
    reference: AnySegmentation,
    model: str | Path | Model | None = None,
    *,
    tolerance_mm: float = 1.0,
    dataset_names: tuple[Mapping[int, str], Mapping[int, str]] = ({}, {}),
) -> Comparison:
    """Return the metrics of evaluate, with notes.

    dataset_names: the names of the values in both files, for those without names of their own.
    """
    labels = resolve_model(model).card.labels if model is not None else None
    first = _read(segmentation, "segmentation", labels, dataset_names[0])
    second = _read(reference, "reference", labels, dataset_names[1])
    if labels is None:
        first = with_names_of(second, first)
    names = dict(sorted({**second.names, **first.names}.items()))
    for value in sorted({*present_values(first.image), *present_values(second.image)}):
        names.setdefault(value, f"Label {value}")
    if not names:
        raise InputImageError("Both segmentations are empty: there is nothing to compare.")
    results = metrics.evaluate(*_on_one_grid(first, second), names, tolerance_mm)
    return Comparison(results, (*first.notes, *second.notes, *_nothing_in_common(first, second)))


def _nothing_in_common(first: Labelmap, second: Labelmap) -> list[str]:
    """A note where both have labels, but each has others: then every Dice is 0, however well they agree."""
    values, others = set(present_values(first.image)), set(present_values(second.image))
    if not values or not others or values & others:
        return []
    return ["The two segmentations have no label value in common; check that both are of the same structures."]


def _read(source: AnySegmentation, name: str, labels: Sequence[Label] | None, named: Mapping[int, str]) -> Labelmap:
    """Return the labelmap with the values of labels, if these are given; named: of values without names."""
    meaning = Meaning(labels, named, "the dataset's description") if labels is not None else None
    if isinstance(source, (str, os.PathLike)):
        found = read_labelmap(Path(source).expanduser(), meaning=meaning)
        return found if found.names else replace(found, names=dict(named))
    if isinstance(source, sitk.Image):
        return labelmap_of(source, f"The {name}", meaning=meaning)
    if isinstance(source, Labelled):
        own = {label.value: label.name for label in source.card.labels}
        if labels is not None:
            return labelmap_of(source.labelmap, f"The {name}", meaning=Meaning(labels, own, f"The {name}"))
        return replace(labelmap_of(source.labelmap, f"The {name}"), names=own)
    raise InputImageError(
        f"The {name} is an object of type {type(source).__name__}; give a file, a SimpleITK labelmap or a result of "
        "segment."
    )


def _on_one_grid(first: Labelmap, second: Labelmap) -> tuple[sitk.Image, sitk.Image]:
    """Return both labelmaps; a segmentation that was cropped to its segments is placed on the common grid."""
    if first.cut and second.cut:
        return on_common_grid(first.image, second.image)
    if first.cut:
        return on_grid(first.image, Grid.of(second.image), "The segmentation", cut=True), second.image
    if second.cut:
        return first.image, on_grid(second.image, Grid.of(first.image), "The reference", cut=True)
    return first.image, second.image
