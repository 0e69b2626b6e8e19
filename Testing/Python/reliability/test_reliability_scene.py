"""The short form of Testing/Reliability/scene_actions.py, and proof that it would see what must not happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tally_checks import assert_passed


@pytest.fixture
def scene_bench(slicer_runtime: Any, tmp_path: Path) -> Iterator[Any]:
    """The panel with a result that was edited."""
    from Reliability.scene_bench import SceneBench

    bench = SceneBench(tmp_path / "home", tmp_path / "slicer")
    bench.load_volume()
    bench.click_segment(False)
    bench.finish()
    bench.edit(bench.results()[0], "paint")
    bench.check()
    yield bench
    bench.close()


@pytest.mark.reliability
def test_random_actions_leave_everything_in_order(slicer_runtime: Any) -> None:
    from Reliability import scene_actions

    assert_passed(scene_actions.check(3, 1), at_least=30)


def test_a_lost_edit_is_seen(scene_bench: Any) -> None:
    node = scene_bench.results()[0]
    node.GetSegmentation().RemoveSegment(node.GetSegmentation().GetNthSegmentID(0))
    with pytest.raises(AssertionError, match="an edit was lost"):
        scene_bench.check()


def test_a_changed_volume_and_a_result_that_nobody_asked_for_are_seen(scene_bench: Any) -> None:
    import slicer

    slicer.util.arrayFromVolume(scene_bench.volumes()[0])[0, 0, 0] += 1
    with pytest.raises(AssertionError, match="its voxels changed"):
        scene_bench.check()
    slicer.util.arrayFromVolume(scene_bench.volumes()[0])[0, 0, 0] -= 1
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Another")
    with pytest.raises(AssertionError, match="nobody asked for"):
        scene_bench.check()


def test_an_edit_is_undone_and_never_overwritten_by_the_next_run(scene_bench: Any) -> None:
    scene_bench.click_segment(False)
    scene_bench.finish()
    assert len(scene_bench.results()) == 2
    scene_bench.undo()
    scene_bench.check()
