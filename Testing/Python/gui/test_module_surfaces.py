"""Show 3D: surfaces come one after the other while the panel stays alive, and can be stopped at any time."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

from typing import Any

import pytest
from mrml_nodes import nested
from panel_bench import Bench


def many_segments(bench: Bench) -> Any:
    """The result of the panel, with more segments than its model has, of which the seventh is empty."""
    import slicer

    from LightMedSegLib.mrml.segmentations.shared_labelmap import BINARY_LABELMAP, label_scalars, make_labelmap

    volume = bench.choose_volume(side=32)
    node = bench.run()
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    labelmap = make_labelmap(volume, label_scalars(nested()))
    for value in range(1, 9):
        segment = slicer.vtkSegment()
        segment.SetName(f"Structure {value}")
        segment.SetLabelValue(value)
        segment.AddRepresentation(BINARY_LABELMAP, labelmap)
        segmentation.AddSegment(segment, f"s{value}")
    return node


def count(node: Any) -> int:
    """How many segments have a surface that is not empty."""
    segmentation = node.GetSegmentation()
    surfaces = [
        segmentation.GetSegment(item).GetRepresentation("Closed surface") for item in segmentation.GetSegmentIDs()
    ]
    return sum(surface is not None and surface.GetNumberOfPolys() > 0 for surface in surfaces)


def wait(bench: Bench) -> None:
    bench.session.wait_until(lambda: not bench.panel.result.surfaces.busy, what="the surfaces")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Surfaces that are only made while the list holds a number for each."""
    import time

    from LightMedSegLib.mrml.surfaces import surfaces

    allowed: list[int] = []
    make = surfaces.make_surface

    def wait_and_make(*arguments: Any) -> Any:
        while not allowed:
            time.sleep(0.005)
        allowed.pop()
        return make(*arguments)

    monkeypatch.setattr(surfaces, "make_surface", wait_and_make)
    return allowed


def begin(bench: Bench, node: Any, slow: list[int], number: int) -> None:
    """Click Show 3D and wait for so many surfaces, after which it goes on when slow is filled again."""
    bench.ui.show3DButton.click()
    slow += [1] * number
    bench.session.wait_until(lambda: count(node) == number, what=f"surface {number}")


def test_the_button_counts_them_shows_all_and_takes_them_away_again(bench: Bench, slow: list[int]) -> None:
    node, button = many_segments(bench), bench.ui.show3DButton
    assert button.enabled and not button.checked and button.text == "Show 3D"
    begin(bench, node, slow, 3)
    bench.session.wait_until(lambda: button.text == "3D: 3 of 8, click to stop", what="the count")
    assert button.checked
    slow += [1] * 5
    wait(bench)
    assert count(node) == 7 and button.checked and button.text == "Show 3D"
    assert button.toolTip == "Hidden at first, because they lie around the others: Structure 8."
    button.click()
    assert count(node) == 0 and not button.checked


def test_clicking_again_stops_them_and_nothing_is_left(bench: Bench, slow: list[int]) -> None:
    node, button = many_segments(bench), bench.ui.show3DButton
    begin(bench, node, slow, 2)
    button.click()
    assert count(node) == 0 and not button.checked and not bench.panel.result.surfaces.busy
    slow += [1]
    bench.session.process_events(0.2)
    assert count(node) == 0
    button.click()
    slow += [1] * 8
    wait(bench)
    assert count(node) == 7


def test_closing_the_scene_and_removing_the_node_end_it(bench: Bench, slow: list[int]) -> None:
    import slicer

    button = bench.ui.show3DButton
    node = many_segments(bench)
    begin(bench, node, slow, 1)
    slicer.mrmlScene.RemoveNode(node)
    slow += [1] * 10
    wait(bench)
    assert not button.enabled and not button.checked
    slow.clear()
    node = many_segments(bench)
    begin(bench, node, slow, 1)
    bench.session.close_scene()
    slow += [1] * 10
    bench.session.wait_until(lambda: not bench.panel.result.surfaces.busy, what="the end")
    assert not button.checked


def test_an_edit_meanwhile_begins_them_again_and_a_new_result_gets_new_ones(bench: Bench, slow: list[int]) -> None:
    from mrml_nodes import labelmap_image, labels_of

    node = many_segments(bench)
    begin(bench, node, slow, 2)
    labels_of(node)[15, 15, 15] = 7
    labelmap_image(node).Modified()
    slow += [1] * 20
    wait(bench)
    assert count(node) == 8, "the empty one has a voxel now"
    slow += [1] * 20
    bench.ui.overwriteCheckBox.checked = True
    assert bench.run() is node
    wait(bench)
    assert node.GetSegmentation().GetNumberOfSegments() == count(node) == 2


def test_another_segmentation_takes_over(bench: Bench, slow: list[int]) -> None:
    first = many_segments(bench)
    begin(bench, first, slow, 1)
    bench.parameters.outputSegmentation = None
    second = many_segments(bench)
    assert second is not first and not bench.ui.show3DButton.checked
    bench.ui.show3DButton.click()
    slow += [1] * 30
    wait(bench)
    assert count(first) == 0 and count(second) == 7


def test_slicers_end_waits_only_a_moment_for_a_surface(
    bench: Bench, slow: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from LightMedSegLib.mrml.jobs import worker

    waits: list[float] = []
    many_segments(bench)
    bench.ui.show3DButton.click()
    runner = bench.panel.result.surfaces._runner
    bench.session.wait_until(lambda: runner.job.state.name == "RUNNING", what="the first surface")
    monkeypatch.setattr(threading.Thread, "join", lambda thread, timeout=None: waits.append(timeout))
    monkeypatch.setattr(worker.atexit, "register", lambda *arguments: None)
    bench.panel.cleanup()
    slow += [1] * 10
    assert runner.job is None
    assert waits and sum(waits) < 2


def test_3d_shows_a_segmentation_that_a_later_result_has_hidden(bench: Bench) -> None:
    node = many_segments(bench)
    node.GetDisplayNode().SetVisibility(False)
    bench.ui.show3DButton.click()
    wait(bench)
    assert node.GetDisplayNode().GetVisibility()


def test_the_3d_view_shows_each_as_it_comes(bench: Bench, slow: list[int]) -> None:
    import slicer
    from Runtime import rendering

    node = many_segments(bench)
    _, renderer = rendering._window(100, 100)
    view = slicer.app.layoutManager().threeDWidget(0).mrmlViewNode()
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory
    name, logic = ("vtkMRMLSegmentationsDisplayableManager3D",), slicer.app.applicationLogic()
    group = rendering._managers(renderer, factory, name, view, logic)

    def drawn() -> int:
        actors = renderer.GetActors()
        found = [actors.GetItemAsObject(index) for index in range(actors.GetNumberOfItems())]
        for actor in found:
            actor.GetMapper().Update()
        return sum(actor.GetVisibility() and actor.GetMapper().GetInput().GetNumberOfPolys() > 0 for actor in found)

    begin(bench, node, slow, 2)
    assert drawn() == 2
    slow += [1] * 6
    wait(bench)
    assert drawn() == 6, "all but the empty and the enclosing one"
    group.SetMRMLDisplayableNode(None)


def test_an_imported_surface_is_only_shown_and_hidden(bench: Bench) -> None:
    node, button = many_segments(bench), bench.ui.show3DButton
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.GetSegmentation().RemoveRepresentation("Binary labelmap")
    bench.session.process_events()
    assert count(node) == 7 and button.checked
    button.click()
    assert not button.checked and not node.GetDisplayNode().GetVisibility3D()
    button.click()
    bench.session.process_events(0.2)
    assert button.checked and node.GetDisplayNode().GetVisibility3D() and not bench.panel.result.surfaces.busy
    assert count(node) == 7, "it has nothing else that they could be made from again"
    node.GetDisplayNode().SetVisibility3D(False)
    bench.session.process_events()
    assert not button.checked


def test_surfaces_that_become_the_source_meanwhile_are_left_alone(bench: Bench, slow: list[int]) -> None:
    node, button = many_segments(bench), bench.ui.show3DButton
    begin(bench, node, slow, 2)
    node.SetSourceRepresentationToClosedSurface()
    slow += [1] * 6
    wait(bench)
    assert count(node) == 2 and button.checked
