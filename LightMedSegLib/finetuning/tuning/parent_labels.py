"""What the user did not look at in a case, as the parent model sees it.

Where a structure is added, the cases often show only that one. Then nothing in them speaks for the others, and the new
class would take their place: so the parent's own prediction stands in for their labels, as hard targets of what Li and
Hoiem call learning without forgetting (IEEE Transactions on Pattern Analysis and Machine Intelligence 40, 2018).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.finetuning.tuning.predictions import predicted_labels, windows_of
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase


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
    found = np.zeros_like(case.labels)
    for place, labels in predicted_labels(parent, case, windows_of(case, view), view, device, cancel):
        found[place] = labels
    free = (case.labels == 0) | (np.isin(case.labels, unseen) & (case.labels != IGNORED))
    taught = np.where(free & np.isin(found, unseen), found, np.where(free, np.uint8(0), case.labels))
    return replace(case, labels=taught.astype(np.uint8), labelled=tuple(sorted({*reviewed, *unseen})))
