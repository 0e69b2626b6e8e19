"""From the ids of a labelmap to indices 0, 1, 2 ...

Index 0 is air, 1 .. n are the n labels in their order, then come the ids that count as one of the labels,
then all others. So an index map of a case is at the same time its truth, once everything above n is looked up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.geometry import bounding_box
from LightMedSegLib.learning.synthesis_section import SynthesisSection

_MARGIN_MM = 8.0


def ids_in_order(settings: SynthesisSection) -> tuple[int, ...]:
    """The id of each index, from index 0 on."""
    first = (0, *settings.label_ids, *(number for number, _ in settings.merged_ids))
    listed = [number for tissue in settings.tissues for group in tissue.classes for number in group]
    return (*first, *(number for number in listed if number not in set(first)))


def indices_of(array: NDArray[Any], settings: SynthesisSection, name: str) -> NDArray[np.uint8]:
    """Ids (z, y, x) as indices."""
    present, inverse = np.unique(array, return_inverse=True)
    place = {number: index for index, number in enumerate(ids_in_order(settings))}
    unknown = [number for number in present.tolist() if number not in place]
    if unknown:
        raise TrainingDataError(
            f"The labelmap {name!r} holds the id {unknown[0]}, which no tissue of the [synthesis] section names."
        )
    table = np.array([place[number] for number in present.tolist()], dtype=np.uint8)
    return table[inverse].reshape(array.shape)


def cut_to_content(indices: NDArray[np.uint8], spacing: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Return the indices without the air around the content, but for a margin of 8 mm; spacing (z, y, x) in mm."""
    content = bounding_box(indices)
    if not content[0].stop:
        return indices
    margins = [round(_MARGIN_MM / length) for length in spacing]
    z, y, x = (
        slice(max(0, along.start - margin), along.stop + margin) for along, margin in zip(content, margins, strict=True)
    )
    return indices[z, y, x]
