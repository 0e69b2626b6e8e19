"""The short form of Testing/Reliability/contradictions.py, and proof that each of its checks can fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stated_files import nifti_file, voxels
from tally_checks import assert_passed

PLACE = np.column_stack([np.diag((-1.0, -1.0, 1.0)), np.zeros(3)])


@pytest.mark.reliability
def test_no_header_that_contradicts_itself_is_read_wrong_in_silence() -> None:
    from Reliability import contradictions

    assert_passed(contradictions.check(80, 1), at_least=80)


@pytest.mark.parametrize(
    ("matrix", "values", "contradicts", "problem"),
    [
        (PLACE, voxels(), False, ""),
        (PLACE * 2, voxels(), False, "it lies elsewhere"),
        (PLACE, voxels() + 1, False, "its voxels are others"),
        (PLACE, voxels(), True, "it has no note"),
        (None, voxels(), True, "it was not refused"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, matrix: np.ndarray | None, values: np.ndarray, contradicts: bool, problem: str
) -> None:
    from Reliability.contradiction_cases import Contradiction
    from Reliability.contradictions import judged

    path = nifti_file(tmp_path / "a.nii", sform=np.eye(3, 4), codes=(0, 1))
    found, _ = judged(Contradiction(path, matrix, values, contradicts, "a scan"))
    assert problem in found and bool(found) == bool(problem)


def test_a_refusal_that_is_not_right_is_named(tmp_path: Path) -> None:
    from Reliability.contradiction_cases import Contradiction
    from Reliability.contradictions import judged

    case = Contradiction(tmp_path / "missing.nii", PLACE, voxels(), False, "a scan")
    assert judged(case)[0].startswith("it was refused")
