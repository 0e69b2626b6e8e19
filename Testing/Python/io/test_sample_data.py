"""The sample scans that come with the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightMedSegLib.cli import main
from LightMedSegLib.io.sample_data import SAMPLES, sample_path


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_samples_are_three_dimensional_scans_in_one_millimetre(name: str) -> None:
    image = sitk.ReadImage(str(sample_path(name)))
    assert image.GetSpacing() == (1.0, 1.0, 1.0)
    assert image.GetDirection() == (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    assert sample_path(name).stat().st_size < 3_000_000


def test_the_hippocampus_sample_is_a_part_of_the_brain_sample() -> None:
    crop, brain = (sitk.ReadImage(str(sample_path(name))) for name in ("hippocampus", "brain"))
    corner = brain.TransformPhysicalPointToIndex(crop.GetOrigin())
    part = sitk.RegionOfInterest(brain, crop.GetSize(), corner)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(part), sitk.GetArrayFromImage(crop))
    # The middle of the crop in RAS: inside the left hippocampus of MNI space.
    left, posterior, superior = crop.TransformContinuousIndexToPhysicalPoint([n / 2 for n in crop.GetSize()])
    assert (-35 < -left < -18) and (-32 < -posterior < -14) and (-22 < superior < -4)


def test_the_sample_is_segmented_by_its_short_name(installed: str, tmp_path: Path) -> None:
    assert main(["segment", "sample:hippocampus", str(tmp_path / "out.nii.gz")]) == 0
    assert (
        sitk.ReadImage(str(tmp_path / "out.nii.gz")).GetSize()
        == sitk.ReadImage(str(sample_path("hippocampus"))).GetSize()
    )
