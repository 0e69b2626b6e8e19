"""The labelmap of a training case, with the label values of the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from LightMedSegLib.core.labels import Label
from LightMedSegLib.io.cases.case import Case
from LightMedSegLib.io.labelmaps.reading import Labelmap, Meaning, read_labelmap
from LightMedSegLib.io.labelmaps.values import present_values

if TYPE_CHECKING:
    import SimpleITK as sitk


def read_case_labels(case: Case, volume: sitk.Image, labels: Sequence[Label], others: Sequence[int] = ()) -> Labelmap:
    """Return the labelmap of the case on the grid of volume; others: further values that it may have.

    Raises InputImageError as read_labelmap does.
    """
    meaning = Meaning(labels, dict(case.dataset_labels), str(case.dataset_file or ""), others)
    return read_labelmap(case.labelmap, volume, meaning)


def absent_labels(reading: Labelmap, labelled: Sequence[int] | None) -> dict[int, str]:
    """Value and name of the labels that were looked for (labelled, None for all) and have no voxel in a labelmap."""
    present = present_values(reading.image)
    looked_for = reading.names if labelled is None else [value for value in labelled if value in reading.names]
    return {value: reading.names[value] for value in looked_for if value not in present}
