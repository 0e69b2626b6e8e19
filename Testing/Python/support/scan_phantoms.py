"""Synthetic scans whose kind is known: bodies in CT, and volumes that DICOM says something of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from volumes_on_disk import dicom_series

TRUNK, NECK, HEAD, LEG = [150.0] * 25, [62.0] * 9, [95.0] * 14, [75.0] * 30
"""Radii in mm of a body's cross-sections, from the feet up, 10 mm of each."""

SPACING = (3.0, 3.0, 10 / round(10 / 3.0))


def ct_body(radii_mm: list[float], seed: int = 0) -> sitk.Image:
    """A CT with noise: fat around muscle in air, a vertebra in the middle, a couch below; 3 mm."""
    noise = np.random.default_rng(seed).normal(0, 12, (1, 146, 146))
    places = (np.arange(146) - 73) * 3.0
    distance = np.hypot(places[None], places[:, None])
    planes = []
    for radius in radii_mm:
        plane = np.where(distance < radius, np.where(distance < radius - 9, 50.0, -100.0), -1000.0)
        plane[distance < 12] = 400.0
        plane[-6:-4] = 100.0
        planes += [plane] * round(10 / 3.0)
    array = np.array(planes) + np.roll(noise, 7, axis=1)
    image = sitk.GetImageFromArray(np.clip(array, -1024, 3071).round().astype(np.int16))
    image.SetSpacing(SPACING)
    return image


def with_values(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    """An image of other values in the same place."""
    result = sitk.GetImageFromArray(array)
    result.CopyInformation(image)
    return result


def dicom_scan(folder: Path, modality: str, body_part: str = "") -> Path:
    """A DICOM series that says of itself what it is."""
    return dicom_series(folder, more_tags={"0008|0060": modality, "0018|0015": body_part})
