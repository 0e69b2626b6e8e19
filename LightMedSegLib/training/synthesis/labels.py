"""Meaning of each index of a prepared labelmap: its label, its tissue class and its location."""

from __future__ import annotations

import torch

from LightMedSegLib.learning.labelmap_indices import ids_in_order
from LightMedSegLib.learning.synthesis_section import SynthesisSection


class IndexTable:
    """The meaning of each index as tensors on a device.

    label: int64 (indices,), the label value in the truth. kind: int64 (indices,), the class of equal appearance,
    0 for air. The others are bool (indices,): extracerebral, surrounding, lesion; inner is neither air nor
    extracerebral nor surrounding.
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
