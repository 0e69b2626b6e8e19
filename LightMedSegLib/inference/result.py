"""The result of a segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.core.label_volumes import label_volumes

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from LightMedSegLib.core.labels import Label
    from LightMedSegLib.model.card import ModelCard

STAGES = ("load", "preprocess", "network", "restore", "postprocess")
"""The stages of a run, which are timed."""


def as_image(array: NDArray[np.uint8], image: sitk.Image) -> sitk.Image:
    """An image of array (z, y, x) on exactly the grid of image."""
    import SimpleITK as sitk

    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


@dataclass(frozen=True)
class Segmentation:
    """A result.

    labelmap: UInt8 image on exactly the input's grid, 0 is background. card: the model's. timings: seconds for each
    of STAGES. device: where the network ran. notes: sentences for the user, first the warnings, then anything done
    otherwise than asked. warnings: those that doubt the volume or the result. explanation: a sentence on how the
    network ran there, for the log; "" where there is nothing to say. doubt: UInt8 image on the same grid, None if it
    was not asked for: 0 where the label is sure, 255 where the two best classes are equally likely; half of it, divided
    by 255, is the probability that the second best is right. It is 0 where the network did not look: outside the region
    of interest, far from what a search found, in air and in padding.
    """

    labelmap: sitk.Image
    card: ModelCard
    timings: dict[str, float]
    device: str
    notes: list[str] = field(default_factory=list)
    explanation: str = ""
    warnings: list[str] = field(default_factory=list)
    doubt: sitk.Image | None = None

    def __repr__(self) -> str:
        size = " x ".join(str(n) for n in self.labelmap.GetSize())
        return f"<Segmentation by {self.card.identifier}: {len(self.card.labels)} segments, {size} voxels>"

    def save(self, path: str | Path) -> None:
        """Write the segmentation; the suffix of path decides as in segmentation_files.write_segmentation.

        Raises OutputError: unknown suffix, missing folder, no permission, full disk.
        """
        from LightMedSegLib.io.segmentation_files import write_segmentation

        write_segmentation(path, self.labelmap, self.card.labels, {"LightMedSeg_Model": self.card.identifier})

    def with_labels(self, own: Sequence[Label], wanted: Sequence[str]) -> Segmentation:
        """Return the result with some of its labels; voxels of the others are background.

        own: labels of the model. wanted: names or values as for choosing.chosen_labels, none for all. Raises
        InputImageError where the result has none of them.
        """
        from LightMedSegLib.io.labelmaps.choosing import chosen_labels
        from LightMedSegLib.io.nnunet_labels import with_dataset_values

        if not wanted:
            return self
        kept = chosen_labels(self.card.labels, own, wanted)
        if not kept:
            known = ", ".join(label.name for label in self.card.labels)
            raise InputImageError(f"The result has no label {' or '.join(map(repr, wanted))}; it has {known}.")
        labelmap, labels = with_dataset_values(self.labelmap, kept, {label.value: label.value for label in kept})
        return replace(self, labelmap=labelmap, card=replace(self.card, labels=labels))

    def volumes(self) -> dict[str, float]:
        """Millilitres of each segment, by its name."""
        return {one["name"]: one["ml"] for one in label_volumes(self.labelmap, self.card.labels)}

    def expected_dice(self) -> dict[str, float]:
        """The Dice that is expected of each segment, by its name; see doubt.expected_dice."""
        from LightMedSegLib.doubt.expected_dice import expected_dice

        return expected_dice(self)

    def segments(self) -> list[dict[str, Any]]:
        """Value, name, voxels and ml of each segment.

        With doubt, and a model whose card has the calibration for it, also expected_dice, None of an empty segment.
        """
        from LightMedSegLib.doubt.expected_dice import expected_dice_of_values

        entries = label_volumes(self.labelmap, self.card.labels)
        if self.doubt is None or self.card.expected_dice is None:
            return entries
        expected = expected_dice_of_values(self)
        return [{**one, "expected_dice": expected.get(one["value"])} for one in entries]
