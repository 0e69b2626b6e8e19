"""The [prompting] section: training a network that follows a person's prompts instead of knowing labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from LightMedSegLib.core.records.limits import Limits

Probability = Annotated[float, Limits(minimum=0, maximum=1)]
PositiveInt = Annotated[int, Limits(minimum=1)]


@dataclass(frozen=True)
class PromptingSection:
    """Objects shown by simulated prompts.

    replaced: samples of a batch that give way to new objects in each step; the others get one more prompt. rounds: the
    fewest and the most rounds that are planned for a sample. reuse: how often a sample is shown, each time turned
    otherwise and with other prompts. degraded_probability: samples that begin with a wrong mask, to be corrected.
    leak_probability: those of the others that begin with a leak, as after a first prompt. point_probability: first
    prompts of new objects that are plain points at least. extent: the fraction of the window's edge that an object
    extends over. own_voxels: labelled structures that are shown at the voxels of their scan. parts, unions: samples
    whose object is a part of a structure, or several structures. labelmap_share, region_share, shape_share: samples
    from images made of labelmaps, from regions of even brightness of real images, and from synthetic shapes; the rest
    are the labelled structures of real images. keep_weight: weight of the loss where a mask under correction is
    right. forgotten_mask: how often the mask of the last round is withheld, if it is not under correction.
    """

    active: bool = False
    replaced: PositiveInt = 4
    rounds: tuple[PositiveInt, PositiveInt] = (1, 4)
    reuse: PositiveInt = 3
    degraded_probability: Probability = 0.35
    leak_probability: Probability = 0.15
    point_probability: Probability = 0.6
    extent: tuple[float, float] = (0.06, 1.2)
    own_voxels: Probability = 0.5
    parts: Probability = 0.1
    unions: Probability = 0.1
    labelmap_share: Probability = 0.25
    region_share: Probability = 0.2
    shape_share: Probability = 0.25
    keep_weight: float = 0.3
    forgotten_mask: Probability = 0.5
    validation_objects: PositiveInt = 24
    validation_rounds: PositiveInt = 5
