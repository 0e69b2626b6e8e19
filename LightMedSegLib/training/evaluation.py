"""Metrics of a trained model on unseen cases: through the inference engine, or on the model grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from LightMedSegLib.core.progress import ProgressCallback
from LightMedSegLib.evaluation.metrics import evaluate
from LightMedSegLib.evaluation.scores import METRICS, CaseScore, score_table
from LightMedSegLib.inference.result import as_image
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase
from LightMedSegLib.model.package import Model

if TYPE_CHECKING:
    import torch

    from LightMedSegLib.inference.sliding_window.windows import WindowRule


def evaluate_with_engine(
    model: Model, cases: Sequence[Case], device: str = "cpu", progress: ProgressCallback | None = None
) -> list[CaseScore]:
    """Return the scores of the cases' own files, segmented as by a user and compared on their own grids."""
    from LightMedSegLib.inference.segmentation import Engine
    from LightMedSegLib.io.labelmaps.case_labels import read_case_labels
    from LightMedSegLib.io.volume_files import read_volume

    engine = Engine(model, device)
    names = {label.value: label.name for label in model.card.labels}
    scores: list[CaseScore] = []
    for number, case in enumerate(cases):
        images = [read_volume(path) for path in case.images]
        result = engine.segment(images[0] if len(images) == 1 else images)
        reference = sitk.Cast(read_case_labels(case, images[0], model.card.labels, (IGNORED,)).image, sitk.sitkUInt8)
        scores += _score(case.name, result.labelmap, reference, names, case.labelled)
        if progress is not None:
            progress(number + 1, len(cases), case.name)
    return scores


def evaluate_on_grid(
    network: torch.nn.Module,
    cases: Sequence[PreparedCase],
    rule: WindowRule,
    spacing_mm: tuple[float, float, float],
    label_names: Sequence[str],
    mirror: Sequence[str] = (),
) -> list[CaseScore]:
    """Return the scores of prepared cases with any network, compared on the model grid (spacing x, y, z)."""
    import torch

    from LightMedSegLib.inference.sliding_window.model_grid import predict_labels

    device = next(network.parameters()).device
    names = dict(enumerate(label_names, start=1))
    scores: list[CaseScore] = []
    with torch.inference_mode():
        images = [torch.from_numpy(case.image).to(device) for case in cases]
        predictions = predict_labels(network, images, rule, 4, mirror)
        for case, labels in zip(cases, predictions, strict=True):
            prediction, reference = (sitk.GetImageFromArray(array) for array in (labels.cpu().numpy(), case.labels))
            prediction.SetSpacing(spacing_mm)
            reference.SetSpacing(spacing_mm)
            scores += _score(case.name, prediction, reference, names, case.labelled)
    return scores


def card_metrics(scores: Sequence[CaseScore]) -> dict[str, Any]:
    """Return means per label for the model card. Cases that miss a label completely count in "missed", not in HD95."""
    table = score_table(scores)
    means = {
        metric: {name: _mean(column) for name, column in zip(table.labels, table.values[metric].T, strict=True)}
        for metric in METRICS
    }
    return {
        "cases": len(table.cases),
        "dice": means["dice"],
        "dice_mean": _mean(means["dice"].values()),
        "hd95_mm": means["hd95_mm"],
        "nsd_1mm": means["nsd"],
        "missed": dict(zip(table.labels, table.missed, strict=True)),
    }


def _score(
    case: str,
    prediction: sitk.Image,
    reference: sitk.Image,
    names: Mapping[int, str],
    labelled: tuple[int, ...] | None,
) -> list[CaseScore]:
    truth = sitk.GetArrayFromImage(reference)
    unknown = truth == IGNORED
    if unknown.any():
        found = sitk.GetArrayFromImage(prediction)
        prediction, reference = (
            as_image(np.where(unknown, 0, array).astype(np.uint8), reference) for array in (found, truth)
        )
    asked = {value: name for value, name in names.items() if labelled is None or value in labelled}
    return [CaseScore(case, item) for item in evaluate(prediction, reference, asked, 1.0)]


def _mean(values: Iterable[float | None]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    # Pages show three digits: rounding these again gives what rounding once would.
    return round(sum(finite) / len(finite), 6) if finite else None
