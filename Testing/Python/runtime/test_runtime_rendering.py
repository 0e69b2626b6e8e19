"""Pictures without a display: what should be seen is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest


def _ball() -> tuple[Any, Any]:
    """A volume with a bright left half in its array, and a red ball segmented in its middle."""
    import slicer

    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Scan")
    z, y, x = np.mgrid[:40, :40, :40]
    slicer.util.updateVolumeFromArray(volume, np.where(x < 20, 200, 0).astype(np.int16))
    volume.CreateDefaultDisplayNodes()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Result")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment_id = node.GetSegmentation().AddEmptySegment("ball", "Ball", [1.0, 0.0, 0.0])
    mask = ((x - 20) ** 2 + (y - 20) ** 2 + (z - 20) ** 2 < 100).astype(np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment_id, volume)
    return volume, node


def _red(picture: np.ndarray) -> np.ndarray:
    values = picture.astype(int)
    return values[..., 0] > values[..., 1] + 60


def test_the_slice_and_the_3d_view_show_the_segment(slicer_runtime: Any, tmp_path: Path) -> None:
    from Runtime.rendering import read_png, render_result

    volume, node = _ball()
    picture = read_png(render_result(volume, node, tmp_path / "result.png", (200, 200)))
    assert picture.shape == (200, 400, 3)
    slice_view, three_d = picture[:, :200], picture[:, 200:]
    assert _red(slice_view)[100, 100] and not _red(slice_view)[10, 10]
    assert _red(three_d)[100, 100] and not _red(three_d)[5, 5]
    # A ball of radius 10 in 40 voxels covers pi / 16 of the view.
    assert _red(slice_view).mean() == pytest.approx(np.pi / 16, abs=0.05)
    assert list(tmp_path.iterdir()) == [tmp_path / "result.png"]


def test_the_slice_view_has_the_radiological_side_convention(
    slicer_runtime: Any,
    tmp_path: Path,
) -> None:
    from Runtime.rendering import read_png, render_slice

    volume, node = _ball()
    node.GetDisplayNode().SetVisibility(False)
    picture = read_png(render_slice(volume, tmp_path / "slice.png", size=(200, 200)))
    # The array's first columns are at the patient's left-hand R coordinate 0, which is shown at the right.
    assert picture[100, 150].mean() > 200 and picture[100, 50].mean() < 50


def test_a_hidden_segmentation_is_not_drawn(slicer_runtime: Any, tmp_path: Path) -> None:
    from Runtime.rendering import read_png, render_3d

    _, node = _ball()
    node.CreateClosedSurfaceRepresentation()
    node.GetDisplayNode().SetVisibility(False)
    assert not _red(read_png(render_3d(tmp_path / "view.png", (100, 100)))).any()


def test_a_panel_is_drawn(slicer_runtime: Any, tmp_path: Path) -> None:
    import qt
    from Runtime.rendering import grab, read_png

    label = qt.QLabel("Segment")
    label.resize(120, 40)
    label.setStyleSheet("background: #00ff00; color: black")
    picture = read_png(grab(label, tmp_path / "label.png"))
    assert picture.shape[:2] == (40, 120)
    assert (picture == (0, 255, 0)).all(axis=2).mean() > 0.5 and (picture.sum(axis=2) < 100).any()
    with pytest.raises(RuntimeError, match="could not be written"):
        grab(label, tmp_path / "no" / "folder.png")
