"""From the ids of a labelmap to indices 0, 1, 2 ..., and what each index is.

Index 0 is air, 1 .. n are the n labels in their order, then come the ids that count as one of the labels,
then all others. So an index map of a case is at the same time its truth, once everything above n is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from LightMedSegLib.errors import TrainingDataError
from LightMedSegLib.training.case import Case
from LightMedSegLib.training.preparation import PreparedCase
from LightMedSegLib.training.synthesis_configuration import SynthesisSection

if TYPE_CHECKING:
    from LightMedSegLib.training.configuration import TrainingConfiguration

_MARGIN_MM = 8.0


def ids_in_order(settings: SynthesisSection) -> tuple[int, ...]:
    """The id of each index, from index 0 on."""
    first = (0, *settings.label_ids, *(number for number, _ in settings.merged_ids))
    listed = [number for tissue in settings.tissues for group in tissue.classes for number in group]
    return (*first, *(number for number in listed if number not in set(first)))


class IndexTable:
    """What each index is, as tensors on a device.

    label: int64 (indices,), the label value in the truth. kind: int64 (indices,), the class of equal looks,
    0 for air. The others are bool (indices,): extracerebral, surrounding, lesion; inner is what is neither air
    nor extracerebral nor surrounding.
    """

    def __init__(self, settings: SynthesisSection, device: torch.device) -> None:
        ids = ids_in_order(settings)
        merged, labels = dict(settings.merged_ids), len(settings.label_ids)
        place = {number: index for index, number in enumerate(ids)}
        label = [index if index <= labels else merged.get(number, 0) for index, number in enumerate(ids)]
        kind, outer, count = [0] * len(ids), [False] * len(ids), 0
        for tissue in settings.tissues:
            for group in tissue.classes:
                count += 1
                for number in group:
                    kind[place[number]] = count
                    outer[place[number]] = tissue.extracerebral
        self.label = torch.tensor(label, device=device)
        self.kind = torch.tensor(kind, device=device)
        self.extracerebral = torch.tensor(outer, device=device)
        self.surrounding = torch.tensor([number in settings.surrounding_ids for number in ids], device=device)
        self.lesion = torch.tensor([number in settings.lesion_ids for number in ids], device=device)
        self.inner = (self.kind > 0) & ~self.extracerebral & ~self.surrounding


def prepare_label_map(case: Case, configuration: TrainingConfiguration) -> PreparedCase:
    """The indices of a labelmap on the model grid, cut to what is not air, as a case without an image.

    Raises TrainingDataError for an id that the configuration does not name.
    """
    from LightMedSegLib.geometry import Grid, map_to_model_grid
    from LightMedSegLib.labelmaps.reading import read_labelmap
    from LightMedSegLib.preprocessing import prepare_labelmap
    from LightMedSegLib.training.packaging import input_spec

    labelmap = read_labelmap(case.labelmap).image
    spec = input_spec(configuration)
    grid = map_to_model_grid(Grid.of(labelmap), spec.spacing, spec.orientation).model
    indices = indices_of(prepare_labelmap(labelmap, grid), configuration.synthesis, case.name)
    indices = np.ascontiguousarray(_cut_to_content(indices, configuration.spacing_zyx))
    return PreparedCase(case.name, np.zeros((0, *indices.shape), np.float16), indices)


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


def _cut_to_content(indices: NDArray[np.uint8], spacing: tuple[float, float, float]) -> NDArray[np.uint8]:
    cut = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        used = np.flatnonzero((indices > 0).any(axis=others))
        margin = round(_MARGIN_MM / spacing[axis])
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, indices.shape[axis] - 1)
        cut.append(slice(max(0, first - margin), min(indices.shape[axis], last + margin + 1)))
    return indices[cut[0], cut[1], cut[2]]
