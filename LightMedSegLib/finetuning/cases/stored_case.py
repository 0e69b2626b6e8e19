"""A corrected case with its voxels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.labels import Label
from LightMedSegLib.finetuning.cases.record import CaseRecord
from LightMedSegLib.learning.prepared_case import IGNORED, PreparedCase


@dataclass(frozen=True)
class StoredCase:
    """image: float16 (C, z, y, x), normalised. labels: uint8 (z, y, x). reviewed: bool (z, y, x)."""

    record: CaseRecord
    image: NDArray[np.float16]
    labels: NDArray[np.uint8]
    reviewed: NDArray[np.bool_]

    def prepared(self, labels: Sequence[Label]) -> PreparedCase:
        """Return the case for training with these labels, matched by name; unreviewed voxels are IGNORED.

        Raises TrainingDataError when none of the reviewed labels is among them.
        """
        numbers = {label.name.casefold(): label.value for label in labels}
        table = np.zeros(256, dtype=np.uint8)
        for label in self.record.labels:
            table[label.value] = numbers.get(label.name.casefold(), 0)
        labelled = tuple(sorted({int(table[value]) for value in self.record.reviewed} - {0}))
        if not labelled:
            raise TrainingDataError(f"The case {self.record.case_id} has none of the model's labels; leave it out.")
        return PreparedCase(
            self.record.case_id,
            self.image,
            np.where(self.reviewed, table[self.labels], np.uint8(IGNORED)),
            labelled,
        )

    def absent_in(self, labels: Sequence[Label]) -> set[int]:
        """Return the values in labels of structures that the person confirmed as absent."""
        names = {label.name.casefold() for label in self.record.labels if label.value in self.record.absent}
        return {label.value for label in labels if label.name.casefold() in names}
