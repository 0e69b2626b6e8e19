"""Comparing a segmentation with a reference, whatever form the two come in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

import SimpleITK as sitk

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.evaluation import metrics
from LightMedSegLib.evaluation.metrics import LabelMetrics
from LightMedSegLib.io.segmentation_files import as_labelmap, read_segmentation
from LightMedSegLib.model.store import resolve_model

if TYPE_CHECKING:
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
    """Dice, HD95, NSD and volumes of each label of a segmentation, against a reference on the same grid.

    Args:
        segmentation: labelmap or .seg.nrrd file, SimpleITK labelmap, or a result of segment.
        reference: the same, taken as the truth.
        model: compare the labels of this model; None for all labels that the two name or contain.
        tolerance_mm: of NSD.

    Labels are matched by value and come in the order of their values. The conventions are those of
    LightMedSegLib.metrics.

    Raises InputImageError: a file that is no segmentation, different grids, one value with two names, both empty.
    ModelPackageError: a model that does not exist.
    """
    first, first_names = _read(segmentation, "segmentation")
    second, second_names = _read(reference, "reference")
    if model is not None:
        names = {label.value: label.name for label in resolve_model(model).card.labels}
    else:
        names = _common_names(first_names, second_names)
        for value in sorted(_values(first) | _values(second)):
            names.setdefault(value, f"Label {value}")
    if not names:
        raise InputImageError("Both segmentations are empty: there is nothing to compare.")
    return metrics.evaluate(first, second, names, tolerance_mm)


def _read(source: AnySegmentation, name: str) -> tuple[sitk.Image, dict[int, str]]:
    """The labelmap, and the names of its values where they are known."""
    if isinstance(source, (str, os.PathLike)):
        return read_segmentation(Path(source).expanduser())
    if isinstance(source, sitk.Image):
        return as_labelmap(source, f"The {name}")
    if isinstance(source, Labelled):
        return source.labelmap, {label.value: label.name for label in source.card.labels}
    raise InputImageError(
        f"The {name} is an object of type {type(source).__name__}; give a file, a SimpleITK labelmap or a result of "
        "segment."
    )


def _common_names(predicted: dict[int, str], reference: dict[int, str]) -> dict[int, str]:
    """Names of both; raises InputImageError where one value means two things."""
    for value in predicted.keys() & reference.keys():
        if predicted[value] != reference[value]:
            raise InputImageError(
                f"Label {value} is {predicted[value]!r} in the prediction and {reference[value]!r} in the reference; "
                "give both the same label values."
            )
    return dict(sorted({**predicted, **reference}.items()))


def _values(labelmap: sitk.Image) -> set[int]:
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputePerimeterOff()
    statistics.Execute(labelmap)
    return set(statistics.GetLabels())
