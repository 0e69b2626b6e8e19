"""The short form of Testing/Reliability/geometry.py, and proof that it would notice a displaced label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from tally_checks import assert_passed

from LightMedSegLib.inference import segmentation

pytestmark = pytest.mark.slicer


@pytest.mark.reliability
def test_labels_lie_where_the_structures_are() -> None:
    from Reliability import geometry

    assert_passed(geometry.check(100, 1), at_least=100)


def test_a_shift_by_one_voxel_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from Reliability import geometry_cases as cases
    from Reliability import geometry_properties as properties

    def shifted(*arguments: Any) -> segmentation.Segmentation:
        result = segmentation.segment(*arguments)
        moved = sitk.GetImageFromArray(np.roll(sitk.GetArrayFromImage(result.labelmap), 1, axis=2))
        moved.CopyInformation(result.labelmap)
        return segmentation.Segmentation(moved, result.card, result.timings, result.device)

    place = cases.Place((12, 11, 10), (1.0, 1.2, 0.8), (5.0, -7.0, 9.0), (0, 1, 0, -1, 0, 0, 0, 0, 1))
    model = cases.Model((1.0, 1.2, 0.8), "LPS", (8, 8, 8), 0.25, "windows")
    case = cases.ImageCase(place, model, (0.0, 1.0, 0.0), "int16", None)
    properties.labels_lie_in_place(case, tmp_path)
    monkeypatch.setattr(properties, "segment", shifted)
    with pytest.raises(AssertionError, match="label of another place"):
        properties.labels_lie_in_place(case, tmp_path)
