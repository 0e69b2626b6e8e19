"""Validation: the Dice of a network on validation or test cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from LightMedSegLib.inference.sliding_window.model_grid import predict_labels
from LightMedSegLib.inference.sliding_window.windows import WindowRule
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase


@dataclass(frozen=True)
class DiceTable:
    """Dice per case (rows) and label (columns); NaN where the label is absent in both, or was not annotated."""

    values: tuple[tuple[float, ...], ...]

    @property
    def per_label(self) -> tuple[float, ...]:
        """Mean over the cases of each label; NaN if no case counts."""
        return tuple(_mean(column) for column in zip(*self.values, strict=True))

    @property
    def mean(self) -> float:
        """Mean over the labels of their means."""
        return _mean(self.per_label)


class GridValidator:
    """Keeps the validation cases on the device and scores networks on them, by the labels that the engine gives.

    rule: the sliding-window rule. batch: windows in a batch. mirror: axes whose mirror images are averaged too.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        rule: WindowRule,
        device: torch.device,
        batch: int = 16,
        mirror: Sequence[str] = (),
    ) -> None:
        self._cases, self._rule, self._batch, self._mirror = tuple(cases), rule, batch, tuple(mirror)
        self._images = [torch.from_numpy(case.image).to(device) for case in cases]
        self._labels = [torch.from_numpy(case.labels).to(device) for case in cases]

    @torch.no_grad()
    def score(self, network: torch.nn.Module) -> DiceTable:
        """Return the Dice of every case; the network must be in evaluation mode."""
        predictions = predict_labels(network, self._images, self._rule, self._batch, self._mirror)
        counts = [
            label_counts(prediction, labels, self._rule.classes)
            for prediction, labels in zip(predictions, self._labels, strict=True)
        ]
        rows = [self._row(case, count) for case, count in zip(self._cases, torch.stack(counts).tolist(), strict=True)]
        return DiceTable(tuple(rows))

    def _row(self, case: PreparedCase, counts: list[list[int]]) -> tuple[float, ...]:
        row = []
        for value in range(1, self._rule.classes):
            both, predicted, present = counts[value]
            annotated = case.labelled is None or value in case.labelled
            row.append(2 * both / (predicted + present) if annotated and predicted + present else math.nan)
        return tuple(row)


def label_counts(prediction: torch.Tensor, labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return the voxel counts (classes, 3) of intersection, prediction and truth, without IGNORED voxels."""
    known = labels != IGNORED
    counts = []
    for value in range(num_classes):
        predicted, present = (prediction == value) & known, labels == value
        counts.append(torch.stack([(predicted & present).sum(), predicted.sum(), present.sum()]))
    return torch.stack(counts)


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return sum(finite) / len(finite) if finite else math.nan
