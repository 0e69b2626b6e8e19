"""From a corrected segmentation to a case: what was reviewed, how good the prediction was, and what may go wrong."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from engine_stubs import rotation
from finetuning_factory import tiny_model
from mrml_case_desk import ALL, BOTH, Desk, paint
from mrml_nodes import add_painted_segment, add_transform, labels_of, put_under
from patience import Patience

from LightMedSegLib.core.geometry import Box, Grid
from LightMedSegLib.learning.own_models import make_label
from LightMedSegLib.mrml.jobs import case_job as case_job_module
from LightMedSegLib.mrml.jobs.case_job import Review, case_job
from LightMedSegLib.mrml.jobs.case_models import installed_model
from LightMedSegLib.mrml.jobs.job_state import JobState
from LightMedSegLib.mrml.segmentations.reviewed import reviewed_slab
from LightMedSegLib.mrml.segmentations.writing import write_result


def test_the_dice_of_a_case_is_that_of_the_untouched_prediction(desk: Desk) -> None:
    paint(desk.node, np.s_[:, 8:10], 1)
    record = desk.add()
    assert record.baseline_dice is not None
    assert record.baseline_dice.model == desk.model.card.identifier
    truth = labels_of(desk.node) == 1
    overlap = 2 * np.count_nonzero(truth & (desk.prediction == 1))
    expected = overlap / (np.count_nonzero(truth) + np.count_nonzero(desk.prediction == 1))
    assert record.baseline_dice.dice["Structure 1"] == pytest.approx(expected, abs=1e-4)
    stored = desk.store.load(record.case_id)
    assert np.array_equal(stored.labels, labels_of(desk.node))


def test_where_the_prediction_is_unknown_the_model_segments_once_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[int] = []
    monkeypatch.setattr(case_job_module, "load_torch_quietly", lambda: loads.append(threading.get_ident()))
    desk.node.SetAttribute("LightMedSeg.Untouched", None)
    record = desk.add()
    assert loads and threading.get_ident() not in loads, "a plain import of torch would stop the window"
    assert record.baseline_dice is not None
    assert all(value < 0.7 for value in record.baseline_dice.dice.values()), "the tiny model's weights are random"


def test_a_prediction_of_another_model_is_not_taken_for_this_ones(desk: Desk, tmp_path: Path) -> None:
    other = tiny_model(tmp_path / "other", seed=5)
    job = desk.run(case_job([desk.volume], desk.node, installed_model(other.folder), ALL, desk.store, "cpu"))
    assert all(value < 0.7 for value in job.outcome.record.baseline_dice.dice.values())


def test_adding_the_same_scan_again_corrects_its_case_whatever_result_it_comes_from(desk: Desk) -> None:
    first = desk.add()
    assert desk.case() == first.case_id
    paint(desk.node, np.s_[:, :2], 2)
    second = desk.add()
    assert (second.case_id, second.number, second.revision) == (first.case_id, 1, 2)
    write_result(desk.volume, 0 * desk.prediction, desk.model.card, desk.node)
    assert desk.case() is None, "the node holds another result"
    job = desk.run(desk.job())
    assert (job.outcome.record.number, job.outcome.record.revision) == (1, 3)
    assert job.outcome.notes[0].startswith("This scan was case 1 already")
    desk.node.SetAttribute("LightMedSeg.Created", "2026-01-31T00:00:00+00:00")
    assert desk.case() is None, "equal labels of another run"
    desk.volume.SetName("Another name")
    assert desk.add().revision == 4
    assert len(desk.store.list()) == 1


def test_only_what_was_reviewed_counts(desk: Desk) -> None:
    review = Review({"Structure_1": 1}, (1,), region=lambda scan: reviewed_slab(scan.grid, "S", 2.0, 5.0))
    stored = desk.store.load(desk.add(review).case_id)
    assert stored.record.reviewed == (1,)
    planes = [bool(plane.any()) for plane in stored.reviewed]
    assert [index for index, known in enumerate(planes) if known] == [2, 3, 4, 5]
    assert set(np.unique(stored.labels)) == {0, 1}


def test_outside_the_segmented_region_nothing_is_taken_for_reviewed(desk: Desk) -> None:
    box: Box = ((0, 16), (0, 16), (4, 9))
    write_result(desk.volume, desk.prediction, desk.model.card, desk.node, region=box)
    stored = desk.store.load(desk.add().case_id)
    assert np.count_nonzero(stored.reviewed) == 5 * 16 * 16


def test_under_a_transform_the_labels_are_those_that_are_seen(desk: Desk) -> None:
    tilt = np.eye(4)
    tilt[:3, :3], tilt[:3, 3] = rotation((7, -5, 9)), (12.5, -40.25, 3.0)
    put_under(desk.volume, add_transform(desk.volume.GetScene(), tilt))
    write_result(desk.volume, desk.prediction, desk.model.card, desk.node)
    paint(desk.node, np.s_[:, 8:10], 1)
    stored = desk.store.load(desk.add().case_id)
    assert np.array_equal(stored.labels, labels_of(desk.node)), "tilted less than 45 degrees, no axis changes its place"


def test_of_overlapping_segments_the_one_further_down_has_the_voxels(desk: Desk) -> None:
    paint(desk.node, np.s_[:], 0)
    mask = np.zeros(desk.prediction.shape, dtype=bool)
    mask[:4] = True
    other = np.roll(mask, 2, axis=0)
    first = add_painted_segment(desk.node, desk.volume, mask, "A")
    second = add_painted_segment(desk.node, desk.volume, other, "B")
    review = Review({**BOTH, second: 2, first: 1}, (1, 2))
    labels = desk.store.load(desk.add(review).case_id).labels
    assert (labels[other] == 2).all() and (labels[mask & ~other] == 1).all()


def test_a_painted_structure_becomes_a_new_label_and_a_confirmed_absence_is_kept(desk: Desk) -> None:
    mask = np.zeros(desk.prediction.shape, dtype=bool)
    mask[:4, :4, :4] = True
    paint(desk.node, np.s_[:], 0)
    tumour = add_painted_segment(desk.node, desk.volume, mask, "Tumour")
    record = desk.add(Review({**BOTH, tumour: 3}, (1, 2, 3), absent=(1,), new_labels=(make_label(3, "Tumour"),)))
    assert [label.name for label in record.labels] == ["Structure 1", "Structure 2", "Tumour"]
    assert record.absent == (1,)
    assert np.array_equal(desk.store.load(record.case_id).labels == 3, mask)


def test_an_absence_that_the_segments_contradict_is_said(desk: Desk) -> None:
    job = desk.run(desk.job(Review(BOTH, (1, 2), absent=(1,))))
    assert job.state is JobState.FAILED
    assert job.message == "The label 'Structure 1' is confirmed absent, but it is not."
    assert desk.store.list() == []


def test_a_name_that_cannot_be_stored_is_said(desk: Desk) -> None:
    job = desk.run(desk.job(Review(BOTH, (1, 2), new_labels=(make_label(3, "Two\nlines"),))))
    assert job.state is JobState.FAILED and "short names of one line" in job.message
    assert desk.store.list() == []


@pytest.mark.parametrize("event", ["painted", "volume removed", "segmentation removed"])
def test_what_changes_while_it_is_read_is_not_added(desk: Desk, event: str) -> None:
    job = desk.job()
    desk.worker.submit(job)
    for _ in range(3):
        next(job.preparation)
    if event == "painted":
        paint(desk.node, np.s_[0], 1)
    else:
        desk.volume.GetScene().RemoveNode(desk.volume if event == "volume removed" else desk.node)
    desk.worker.wait(job, on_idle=Patience(20).check)
    assert job.state is (JobState.FAILED if event == "painted" else JobState.DROPPED)
    assert "changed while" in job.message
    assert desk.store.list() == []


def test_what_changes_after_it_was_read_does_not_matter(desk: Desk) -> None:
    job = desk.job()
    desk.worker.submit(job)
    desk.worker.poll()
    assert job.state is JobState.RUNNING
    desk.volume.GetScene().RemoveNode(desk.node)
    desk.worker.wait(job, on_idle=Patience(20).check)
    assert job.state is JobState.DONE and len(desk.store.list()) == 1


def test_slices_are_told_by_their_place_in_oblique_volumes_too() -> None:
    cosine, sine = np.cos(0.3), np.sin(0.3)
    turned = (1.0, 0.0, 0.0, 0.0, float(cosine), float(-sine), 0.0, float(sine), float(cosine))
    grid = Grid((6, 20, 20), (2.0, 1.0, 1.5), (10.0, -20.0, 5.0), turned)
    for axis, row, sign in (("R", 0, -1), ("A", 1, -1), ("S", 2, 1)):
        points = [grid.point((x, y, z)) for z in range(20) for y in range(20) for x in range(6)]
        places = sign * np.reshape(points, (20, 20, 6, 3))[..., row]
        middle = float(np.median(places))
        mask = reviewed_slab(grid, axis, middle + 4, middle - 4)
        assert mask[np.abs(places - middle) <= 4].all()
        assert not mask[np.abs(places - middle) > 5.1].any()
    straight = Grid((4, 4, 10), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    planes = [index for index, plane in enumerate(reviewed_slab(straight, "S", 3.0, 7.5)) if plane.all()]
    assert planes == [1, 2, 3, 4], "a slice that is shown between two planes belongs to both"


def test_slices_beside_the_volume_are_refused() -> None:
    from LightMedSegLib.core.errors import InputImageError

    straight = Grid((4, 4, 10), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    with pytest.raises(InputImageError, match=r"between 40\.0 and 50\.0 mm"):
        reviewed_slab(straight, "S", 50.0, 40.0)
