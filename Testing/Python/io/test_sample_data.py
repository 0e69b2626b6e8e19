"""The sample scans that come with the program."""

from __future__ import annotations

from pathlib import Path

import make_sample
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


def test_the_hippocampus_sample_lies_around_the_left_hippocampus() -> None:
    crop = sitk.ReadImage(str(sample_path("hippocampus")))
    # The middle of the crop in RAS: inside the left hippocampus of MNI space.
    left, posterior, superior = crop.TransformContinuousIndexToPhysicalPoint([n / 2 for n in crop.GetSize()])
    assert (-35 < -left < -18) and (-32 < -posterior < -14) and (-22 < superior < -4)


def test_the_head_has_no_face_and_no_text_in_its_header() -> None:
    head = sitk.ReadImage(str(sample_path("head")))
    array = sitk.GetArrayFromImage(head)
    face = make_sample.face_of(head)
    assert 0.05 < face.mean() < 0.15 and not array[face].any()
    assert (array[~face] > 0).mean() > 0.5, "scalp and neck are there"
    assert not (array % make_sample.STEP).any()
    for key in ("descrip", "aux_file", "intent_name"):
        assert not head.GetMetaData(key).strip()


def test_the_sample_is_segmented_by_its_short_name(installed: str, tmp_path: Path) -> None:
    assert main(["segment", "sample:hippocampus", str(tmp_path / "out.nii.gz")]) == 0
    assert (
        sitk.ReadImage(str(tmp_path / "out.nii.gz")).GetSize()
        == sitk.ReadImage(str(sample_path("hippocampus"))).GetSize()
    )
