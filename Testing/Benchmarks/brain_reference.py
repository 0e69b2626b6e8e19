"""The MICCAI 2012 labels as labels of the brain model, and worse versions of a scan that a model should survive."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

MAPPING = Path(__file__).resolve().parents[2] / "Resources" / "Training" / "malc2012-to-brain-structures.json"
"""Which label of the MICCAI 2012 scans is which one of the brain model."""

IGNORED = 255
THICK_SLICE_MM = 5.0
VERSIONS = ("as-is", "t2-like", "thick-slices", "heavy-bias")


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping file; its sections are explained in it."""
    mapping: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return mapping


def map_labels(labelmap: sitk.Image, mapping: Mapping[str, Any], values: Mapping[str, int]) -> sitk.Image:
    """The labelmap with the model's label values; IGNORED where the mapping says so.

    values: label value by name. Raises ValueError for an id that the mapping does not know.
    """
    source = sitk.GetArrayFromImage(labelmap)
    table = np.full(int(source.max()) + 1, -1, dtype=np.int16)
    midline = mapping["midline"]["ids"]
    for ids, value in (
        (mapping["background"]["ids"], 0),
        (mapping["ignored"]["ids"], IGNORED),
        (midline, 0),
        *((ids, values[name]) for name, ids in mapping["labels"].items()),
    ):
        table[[number for number in ids if number < len(table)]] = value
    mapped = table[source]
    if (mapped < 0).any():
        raise ValueError(f"The mapping does not know the id {int(source[mapped < 0][0])}.")
    undecided = np.isin(source, midline)
    if undecided.any():
        left, right = (values[mapping["midline"][side]] for side in ("left", "right"))
        to_left, to_right = (_distance(mapped == value, labelmap) for value in (left, right))
        mapped[undecided] = np.where(to_left < to_right, left, right)[undecided]
    return _like(labelmap, mapped.astype(np.uint8))


def degraded(version: str, image: sitk.Image, reference: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Image and reference in one of VERSIONS; the same input always gives the same output.

    t2-like: within the head dark and bright change places, so fluid is brightest. thick-slices: axial slices of
    THICK_SLICE_MM; the reference of a thick voxel is its most frequent label. heavy-bias: brightness falls to a
    quarter across the head.
    """
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    if version == "as-is":
        return image, reference
    if version == "t2-like":
        inside = array > 0
        highest = np.percentile(array[inside], 99.8)
        return _like(image, np.where(inside, np.clip(1.05 * highest - array, 0, None), 0)), reference
    if version == "thick-slices":
        return _thick_slices(image, reference)
    if version == "heavy-bias":
        z, y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in array.shape), indexing="ij", sparse=True)
        field = np.exp(0.45 * (x - 0.6 * y + 0.5 * z) + 0.35 * x * y - 0.3 * z**2)
        return _like(image, array * field.astype(np.float32)), reference
    raise ValueError(f"There is no version {version!r}; known are {', '.join(VERSIONS)}.")


def _thick_slices(image: sitk.Image, reference: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    image, reference = (sitk.DICOMOrient(volume, "LPS") for volume in (image, reference))
    count = max(1, round(THICK_SLICE_MM / image.GetSpacing()[2]))
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    truth = sitk.GetArrayFromImage(reference)
    slices = len(array) // count
    array, truth = (volume[: slices * count].reshape(slices, count, *volume.shape[1:]) for volume in (array, truth))
    most = np.zeros((slices, *truth.shape[2:]), dtype=np.int64)
    winner = np.zeros_like(most, dtype=np.uint8)
    for value in np.unique(truth):
        votes = (truth == value).sum(axis=1)
        winner[votes > most] = value
        most = np.maximum(most, votes)
    return _stacked(image, array.mean(axis=1), count), _stacked(image, winner, count)


def _stacked(image: sitk.Image, array: NDArray[Any], count: int) -> sitk.Image:
    result = sitk.GetImageFromArray(array)
    x, y, z = image.GetSpacing()
    result.SetSpacing((x, y, z * count))
    result.SetDirection(image.GetDirection())
    # The first thick voxel is centred between the first and the last thin one that it covers.
    result.SetOrigin(image.TransformContinuousIndexToPhysicalPoint((0.0, 0.0, (count - 1) / 2)))
    return result


def _distance(mask: NDArray[np.bool_], image: sitk.Image) -> NDArray[np.float32]:
    volume = _like(image, mask.astype(np.uint8))
    distance = sitk.SignedMaurerDistanceMap(volume, squaredDistance=False, useImageSpacing=True)
    return np.asarray(sitk.GetArrayFromImage(distance), dtype=np.float32)


def _like(image: sitk.Image, array: NDArray[Any]) -> sitk.Image:
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result
