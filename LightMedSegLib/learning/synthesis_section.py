"""The [synthesis] section: which tissues a labelmap's ids are, and how images are made from them."""

from __future__ import annotations

from dataclasses import dataclass

from LightMedSegLib.core.errors import TrainingDataError


@dataclass(frozen=True)
class TissueSection:
    """Ids of one tissue.

    classes: ids that look alike in every image, such as the left and the right putamen. The relaxation times
    (ms) and the proton density (water: 1) are ranges that one image's values are drawn from.
    extracerebral: a skull strip removes it. enhances: a contrast agent makes it bright.
    """

    name: str
    classes: tuple[tuple[int, ...], ...]
    t1_ms: tuple[float, float]
    t2_ms: tuple[float, float]
    proton_density: tuple[float, float]
    extracerebral: bool = False
    enhances: bool = False


@dataclass(frozen=True)
class SynthesisSection:
    """Training on images that are made from labelmaps; active when label_ids is not empty.

    label_ids: the labelmap's id of each label, in the order of the labels. merged_ids: pairs of an id with an
    intensity of its own and the label value it counts as. Every other id of tissues is background in the truth.
    surrounding_ids: fluid around the brain, of which a skull strip takes away some or all; the truth there
    becomes background. lesion_ids: where lesions appear. Probabilities are per sample, lengths are mm,
    intensities are fractions of the brightest tissue's.
    """

    label_ids: tuple[int, ...] = ()
    merged_ids: tuple[tuple[int, int], ...] = ()
    surrounding_ids: tuple[int, ...] = ()
    lesion_ids: tuple[int, ...] = ()
    tissues: tuple[TissueSection, ...] = ()
    physical_probability: float = 0.55  # contrast of a random MR sequence
    free_probability: float = 0.25  # each class its own brightness; the rest: each tissue its own
    texture_sigma: float = 0.08  # the largest standard deviation within a class
    exchange_probability: float = 0.3  # an extracerebral class looks like another one
    drop_probability: float = 0.1  # an extracerebral class is dark
    enhancement_probability: float = 0.25
    vessel_probability: float = 0.3
    lesion_probability: float = 0.25
    strip_probability: float = 0.45
    tight_strip_probability: float = 0.35  # of the stripped: nothing but brain is left
    bias_probability: float = 0.8
    bias_sigma: float = 0.3  # the largest standard deviation of the log of the field
    bias_grid_mm: float = 60.0
    blur_mm: tuple[float, float] = (0.2, 0.7)  # standard deviation of the point spread
    slice_probability: float = 0.4
    slice_mm: tuple[float, float] = (2.0, 7.0)  # distance of the slices
    coarse_probability: float = 0.3
    coarse_mm: tuple[float, float] = (1.0, 2.0)  # voxel size in all three directions
    noise_probability: float = 0.8
    noise_sigma: float = 0.08
    view_probability: float = 0.2  # the field of view ends inside the patch
    view_fraction: float = 0.7  # the least part of the patch, along each axis, that it covers
    validation_images: int = 4  # made of each held-out labelmap

    def __post_init__(self) -> None:
        if not self.active:
            return
        ids = [number for tissue in self.tissues for group in tissue.classes for number in group]
        repeated = sorted({number for number in ids if ids.count(number) > 1})
        if repeated:
            raise TrainingDataError(f"synthesis.tissues names the id {repeated[0]} more than once.")
        merged = [number for number, _ in self.merged_ids]
        for number in (*self.label_ids, *merged, *self.surrounding_ids, *self.lesion_ids):
            if number not in ids:
                raise TrainingDataError(f"The id {number} of the [synthesis] section belongs to none of its tissues.")
        if len(ids) > MAXIMUM_IDS or 0 in ids:
            raise TrainingDataError(f"synthesis.tissues may name at most {MAXIMUM_IDS} ids, and not 0, which is air.")
        if len({*self.label_ids, *merged}) != len(self.label_ids) + len(merged):
            raise TrainingDataError("An id may stand only once in synthesis.label_ids and synthesis.merged_ids.")
        wrong = [value for _, value in self.merged_ids if not 1 <= value <= len(self.label_ids)]
        if wrong:
            raise TrainingDataError(f"synthesis.merged_ids names the label {wrong[0]}, which does not exist.")

    @property
    def active(self) -> bool:
        """True when images are made from labelmaps."""
        return bool(self.label_ids)


MAXIMUM_IDS = 200
"""Indices are stored in a byte, whose highest value means "unknown"."""
