"""A view of an image's voxels is of an image that is kept: SimpleITK frees the voxels with the image."""

from __future__ import annotations

import re

from paths import REPOSITORY

VIEW_OF_A_RESULT = re.compile(r"GetArrayViewFromImage\(\s*[\w.]+\(")


def test_no_array_is_a_view_of_an_image_that_nobody_keeps() -> None:
    folders = [REPOSITORY / name for name in ("LightMedSeg", "LightMedSegLib", "Testing")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(files) > 300
    assert [path.name for path in files if VIEW_OF_A_RESULT.search(path.read_text(encoding="utf-8"))] == []


def test_such_a_view_would_be_found() -> None:
    view = "sitk.GetArrayViewFromImage"
    assert VIEW_OF_A_RESULT.search(f"{view}(engine.segment(image).labelmap)")
    assert not VIEW_OF_A_RESULT.search(f"{view}(labelmap)[..., ::-1]")
