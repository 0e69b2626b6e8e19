"""The coarse first result and what the full one may do to it."""

from __future__ import annotations

import pytest
from mrml_job_stubs import PreviewSegment, base_image, begin, finish, poll_until
from mrml_nodes import add_volume, labelmap_image, labels_of, new_scene, segmentation_count
from patience import Patience

from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.mrml.jobs.job_state import JobState
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.segmentations.result_record import is_unedited


@pytest.mark.parametrize("edited", [False, True])
def test_a_preview_is_shown_first_and_refined_unless_the_user_began_to_edit_it(edited: bool, worker: Worker) -> None:
    scene, stub, outcomes = new_scene(), PreviewSegment(), []
    volume = add_volume(scene, base_image())
    options = SegmentOptions(preview_spacing=(3.0, 3.0, 3.0))
    job = begin(worker, volume, stub, options=options, on_outcome=outcomes.append)
    poll_until(worker, lambda: bool(outcomes))
    preview = outcomes[0].node
    assert outcomes[0].preview
    assert preview.GetAttribute("LightMedSeg.Preview") == "1"
    assert (labels_of(preview) == 1).all()
    assert stub.calls[0] == options
    if edited:
        labels_of(preview)[0, 0, 0] = 2
        labelmap_image(preview).Modified()
    final = finish(worker, stub, job).outcome
    assert stub.calls == [options, SegmentOptions()]
    assert (final.node is preview) is not edited
    assert not final.preview
    assert final.node.GetAttribute("LightMedSeg.Preview") is None
    assert (labels_of(final.node) == 2).all()
    assert is_unedited(final.node)
    if edited:
        assert labels_of(preview)[0, 0, 0] == 2


def test_permission_to_overwrite_holds_for_what_was_there_not_for_edits_of_the_preview(worker: Worker) -> None:
    scene, stub, outcomes = new_scene(), PreviewSegment(), []
    volume = add_volume(scene, base_image())
    chosen = finish(worker, stub, begin(worker, volume, stub)).outcome.node
    labels_of(chosen)[0, 0, 0] = 0
    labelmap_image(chosen).Modified()
    stub.go.clear()
    options = SegmentOptions(preview_spacing=(3.0, 3.0, 3.0))
    how = {"options": options, "segmentation_node": chosen, "overwrite": True, "on_outcome": outcomes.append}
    job = begin(worker, volume, stub, **how)
    poll_until(worker, lambda: bool(outcomes))
    assert outcomes[0].node is chosen
    labels_of(chosen)[1, 1, 1] = 0
    labelmap_image(chosen).Modified()
    final = finish(worker, stub, job).outcome.node
    assert final is not chosen
    assert labels_of(chosen)[1, 1, 1] == 0


def test_cancelling_after_the_preview_keeps_the_preview(worker: Worker) -> None:
    scene, stub, outcomes = new_scene(), PreviewSegment(), []
    options = SegmentOptions(preview_spacing=(3.0, 3.0, 3.0))
    job = begin(worker, add_volume(scene, base_image()), stub, options=options, on_outcome=outcomes.append)
    poll_until(worker, lambda: bool(outcomes))
    worker.cancel()
    worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.CANCELLED
    assert segmentation_count(scene) == 1
