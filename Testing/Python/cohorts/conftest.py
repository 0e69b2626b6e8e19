"""Cohorts of small scans, and what one job makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from cohort_tasks import scan_task
from volumes_on_disk import plain_volume

from LightMedSegLib.cohorts.task import ScanTask


@pytest.fixture
def tasks(package: Path, no_leftovers: Path) -> list[ScanTask]:
    """Four tasks: a, b and d are sound, c is damaged."""
    scans = no_leftovers / "scans"
    scans.mkdir()
    for number, name in enumerate("abcd"):
        sitk.WriteImage(plain_volume() + 40 * number, str(scans / f"{name}.nii.gz"))
    (scans / "c.nii.gz").write_bytes(b"no volume")
    return [scan_task(name, scans / f"{name}.nii.gz", no_leftovers / "results", package) for name in "abcd"]
