"""What the user did not look at in a case, as the parent model sees it.

Where a structure is added, the cases often show only that one. Then nothing in them speaks for the others, and the new
class would take their place: so the parent's own prediction stands in for their labels, as hard targets of what Li and
Hoiem call learning without forgetting (IEEE Transactions on Pattern Analysis and Machine Intelligence 40, 2018).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.finetuning.confusion import predicted_labels
from LightMedSegLib.progress import CancelToken
from LightMedSegLib.training.preparation import IGNORED, PreparedCase
from LightMedSegLib.windows import Shape, window_starts


def with_parent_labels(
    case: PreparedCase,
    parent: torch.nn.Module,
    known: int,
    view: Shape,
    device: torch.device,
    cancel: CancelToken | None = None,
) -> PreparedCase:
    """The case with the parent's labels 1 to known - 1 where nobody looked for them and nothing else is marked."""
    reviewed = set(range(1, known)) if case.labelled is None else set(case.labelled)
    unseen = sorted(set(range(1, known)) - reviewed)
    if not unseen:
        return case
    found = _prediction(case, parent, view, device, cancel)
    free = (case.labels == 0) | (np.isin(case.labels, unseen) & (case.labels != IGNORED))
    labels = np.where(free & np.isin(found, unseen), found, np.where(free, np.uint8(0), case.labels))
    return replace(case, labels=labels.astype(np.uint8), labelled=tuple(sorted({*reviewed, *unseen})))


def _prediction(
    case: PreparedCase, network: torch.nn.Module, view: Shape, device: torch.device, cancel: CancelToken | None
) -> NDArray[np.uint8]:
    """Labels (z, y, x) of windows that cover the case; where two meet, the later ones."""
    shape = case.labels.shape
    axes = [
        window_starts(length, size, 0.0) if length >= size else [(length - size) // 2]
        for length, size in zip(shape, view, strict=True)
    ]
    starts = [(z, y, x) for z in axes[0] for y in axes[1] for x in axes[2]]
    labels = np.zeros(shape, dtype=np.uint8)
    for place, part in predicted_labels(network, case, starts, view, device, cancel):
        labels[place] = part
    return labels
