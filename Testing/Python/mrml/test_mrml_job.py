"""What becomes of a run when the scene changes, the user cancels, edits or closes, or something fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from engine_stubs import rotation, stub_card
from model_factory import LOCATED
from mrml_job_stubs import StubSegment, base_image, begin, finish
from mrml_nodes import add_transform, add_volume, labelmap_image, labels_of, new_scene, put_under, segmentation_count
from paths import REPOSITORY
from patience import Patience, limit

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.located_card import located_card
from LightMedSegLib.mrml.jobs import segment_job
from LightMedSegLib.mrml.jobs.job_state import JobState
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.volumes import voxels


@pytest.fixture
def stub() -> StubSegment:
    return StubSegment()


def test_options_arrive_and_notes_come_back(worker: Worker, stub: StubSegment) -> None:
    volume = add_volume(new_scene(), base_image())
    options = SegmentOptions(device="cuda:1", overlap=0.25, mirror=("x",), threads=3)
    job = finish(worker, stub, begin(worker, volume, stub, options=options))
    assert job.outcome.notes == ["CUDA ran out of memory; the CPU was used."]
    (call,) = stub.calls
    assert call == options
    assert stub.threads != [threading.get_ident()]


def test_torch_is_loaded_in_the_worker_in_small_steps_before_the_work(
    worker: Worker, stub: StubSegment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain import of torch stops the window three times."""
    loads: list[tuple[int, int]] = []
    monkeypatch.setattr(
        segment_job, "load_torch_quietly", lambda: loads.append((threading.get_ident(), len(stub.calls)))
    )
    finish(worker, stub, begin(worker, add_volume(new_scene(), base_image()), stub))
    assert loads == [(stub.threads[0], 0)] and stub.threads[0] != threading.get_ident()


def test_progress_of_the_library_is_seen_on_the_main_thread(worker: Worker, stub: StubSegment) -> None:
    job = begin(worker, add_volume(new_scene(), base_image()), stub)
    assert (job.progress.done, job.progress.total, job.progress.message) == (1, 4, "Segmenting")
    finish(worker, stub, job)


def test_cancelling_ends_the_job_and_writes_nothing(worker: Worker, stub: StubSegment) -> None:
    scene = new_scene()
    job = begin(worker, add_volume(scene, base_image()), stub)
    worker.cancel()
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.CANCELLED
    assert segmentation_count(scene) == 0


def close_scene(volume: Any) -> None:
    volume.GetScene().Clear(True)


def remove_volume(volume: Any) -> None:
    volume.GetScene().RemoveNode(volume)


def paint_voxels(volume: Any) -> None:
    voxels(volume)[:] = 0
    volume.GetImageData().GetPointData().GetScalars().Modified()


def replace_voxels(volume: Any) -> None:
    volume.SetAndObserveImageData(None)


def move_origin(volume: Any) -> None:
    volume.SetOrigin(1, 2, 3)


def harden(volume: Any) -> None:
    put_under(volume, add_transform(volume.GetScene(), rotation((0, 0, 30))))
    volume.HardenTransform()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (close_scene, "was removed from the scene"),
        (remove_volume, "was removed from the scene"),
        (paint_voxels, "changed while it was segmented"),
        (replace_voxels, "changed while it was segmented"),
        (move_origin, "changed while it was segmented"),
        (harden, "changed while it was segmented"),
    ],
)
@pytest.mark.parametrize("when", ["running", "finished"])
def test_a_result_for_a_volume_that_is_gone_or_changed_is_dropped_with_a_message(
    change: Callable[[Any], None], words: str, when: str, worker: Worker, stub: StubSegment
) -> None:
    scene = new_scene()
    volume = add_volume(scene, base_image())
    job = begin(worker, volume, stub)
    if when == "finished":
        stub.go.set()
        assert job.changed.wait(limit(20))
    change(volume)
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.DROPPED
    assert job.message.startswith("'Scan' ")
    assert words in job.message
    assert "the result was dropped" in job.message
    assert segmentation_count(scene) == 0


def test_a_volume_of_the_next_scene_with_the_same_identifier_is_not_mistaken(worker: Worker, stub: StubSegment) -> None:
    scene = new_scene()
    volume = add_volume(scene, base_image())
    job = begin(worker, volume, stub)
    identifier = volume.GetID()
    scene.Clear(True)
    assert add_volume(scene, base_image()).GetID() == identifier
    finish(worker, stub, job)
    assert job.state is JobState.DROPPED
    assert segmentation_count(scene) == 0


def test_looking_at_moving_or_renaming_the_volume_does_not_drop_the_result(worker: Worker, stub: StubSegment) -> None:
    scene = new_scene()
    volume = add_volume(scene, base_image())
    job = begin(worker, volume, stub)
    volume.CreateDefaultDisplayNodes()
    volume.SetName("Renamed")
    transform = add_transform(scene, rotation((0, 0, 5)))
    put_under(volume, transform)
    finish(worker, stub, job)
    assert job.state is JobState.DONE
    assert job.outcome.node.GetParentTransformNode() is transform


def test_the_next_run_replaces_an_unedited_result_in_place(worker: Worker, stub: StubSegment) -> None:
    scene = new_scene()
    volume = add_volume(scene, base_image())
    first = finish(worker, stub, begin(worker, volume, stub)).outcome.node
    stub.labels = 2
    second = finish(worker, stub, begin(worker, volume, stub)).outcome.node
    assert second is first
    assert segmentation_count(scene) == 1
    assert (labels_of(first) == 2).all()


def test_a_result_that_is_edited_during_the_next_run_is_kept(worker: Worker, stub: StubSegment) -> None:
    volume = add_volume(new_scene(), base_image())
    first = finish(worker, stub, begin(worker, volume, stub)).outcome.node
    stub.go.clear()
    job = begin(worker, volume, stub, segmentation_node=first)
    labels_of(first)[0, 0, 0] = 2
    labelmap_image(first).Modified()
    outcome = finish(worker, stub, job).outcome
    assert outcome.node is not first
    assert labels_of(first)[0, 0, 0] == 2
    assert "'Scan Test model' holds edits and was kept" in outcome.notes[-2]
    assert not first.GetDisplayNode().GetVisibility(), "one lies on top of the other"
    third = finish(worker, stub, begin(worker, volume, stub, segmentation_node=first, overwrite=True))
    assert third.outcome.node is first
    assert labels_of(first)[0, 0, 0] == 1


def test_a_chosen_node_that_is_deleted_during_the_run_is_made_anew(worker: Worker, stub: StubSegment) -> None:
    scene = new_scene()
    volume = add_volume(scene, base_image())
    chosen = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Chosen")
    job = begin(worker, volume, stub, segmentation_node=chosen)
    scene.RemoveNode(chosen)
    node = finish(worker, stub, job).outcome.node
    assert node is not chosen
    assert segmentation_count(scene) == 1


class OutOfMemoryError(RuntimeError):
    """Named as torch's, which the bridge does not import."""


@pytest.mark.parametrize(
    ("error", "state", "words"),
    [
        (OutOfMemoryError("CUDA out of memory."), JobState.FAILED, "The graphics card ran out of memory; choose"),
        (MemoryError(), JobState.FAILED, "The computer ran out of memory; choose"),
        (ValueError("?"), JobState.FAILED, "An unexpected problem stopped the task (ValueError: ?)"),
        (CancelledError("Cancelled: nothing was written."), JobState.CANCELLED, "Cancelled"),
    ],
)
def test_failures_of_the_library_leave_the_scene_as_it_was_and_the_next_run_works(
    error: Exception, state: JobState, words: str, worker: Worker, stub: StubSegment
) -> None:
    scene = new_scene()
    volume = add_volume(scene, base_image())
    stub.error = error
    job = finish(worker, stub, begin(worker, volume, stub))
    assert job.state is state
    assert job.message.startswith(words)
    assert segmentation_count(scene) == 0
    stub.error = None
    assert finish(worker, stub, begin(worker, volume, stub)).state is JobState.DONE


def test_the_bridge_does_not_bring_torch_before_a_run() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from LightMedSegLib.mrml import regions, statistics, volumes;"
        "from LightMedSegLib.mrml.jobs import segment_job, worker;"
        "from LightMedSegLib.mrml.segmentations import reading, writing;"
        "assert 'torch' not in sys.modules; print('light')"
    )
    root = str(REPOSITORY)
    command = [sys.executable, "-c", code, root]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit(60), check=False)
    assert done.stdout == "light\n", done.stderr


def test_the_fakes_stand_for_the_library(stub: StubSegment) -> None:
    """Were the library's parameters renamed, the tests above would go on passing: here it shows."""
    import inspect

    from LightMedSegLib.inference.segmentation import segment_with

    assert list(inspect.signature(segment_with).parameters) == list(inspect.signature(stub).parameters)


def test_a_located_result_becomes_a_segment_for_each_structure_and_side(worker: Worker, stub: StubSegment) -> None:
    one_side = stub.card
    stub.card, stub.labels = located_card(stub_card(**LOCATED)), 4
    job = finish(worker, stub, begin(worker, add_volume(new_scene(), base_image()), stub))
    segmentation = job.outcome.node.GetSegmentation()
    segments = [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
    sides = [f"{side} {label.name.lower()}" for side in ("Left", "Right") for label in one_side.labels]
    assert [segment.GetName() for segment in segments] == sides
    assert [segment.GetTerminology().split("~")[-1] for segment in segments] == ["SCT^7771000^Left"] * 2 + [
        "SCT^24028007^Right"
    ] * 2
    assert job.outcome.statistics
