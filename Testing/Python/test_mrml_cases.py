"""From a corrected segmentation to a case: the untouched prediction, what was reviewed, and what may go wrong."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from engine_stubs import rotation
from finetuning_factory import slabs, tiny_model
from mrml_fixtures import (
    add_painted_segment,
    add_transform,
    add_volume,
    labelmap_image,
    labels_of,
    new_scene,
    put_under,
    slicer,
)
from patience import Patience

from LightMedSegLib.errors import OutputError
from LightMedSegLib.finetuning.case_record import CaseRecord
from LightMedSegLib.finetuning.case_store import CaseStore
from LightMedSegLib.finetuning.own_labels import make_label
from LightMedSegLib.geometry import Box, Grid
from LightMedSegLib.model_package import Model
from LightMedSegLib.mrml import kept_predictions
from LightMedSegLib.mrml.case_job import Review, case_job, case_of
from LightMedSegLib.mrml.job_state import Job, JobState
from LightMedSegLib.mrml.kept_predictions import keep, predictions_folder, recall
from LightMedSegLib.mrml.result_record import is_unedited
from LightMedSegLib.mrml.reviewed import reviewed_slab
from LightMedSegLib.mrml.segmentations import write_result
from LightMedSegLib.mrml.untouched import untouched_labels, untouched_text
from LightMedSegLib.mrml.worker import Worker

BOTH = {"Structure_1": 1, "Structure_2": 2}
ALL = Review(BOTH, (1, 2))


@dataclass
class Desk:
    """A result of a model in the scene; prediction: its labels (z, y, x), which the truth differs from."""

    worker: Worker
    store: CaseStore
    model: Model
    volume: Any
    node: Any
    prediction: np.ndarray

    def job(self, review: Review = ALL) -> Job:
        return case_job([self.volume], self.node, self.model.folder, review, self.store, "cpu")

    def case(self) -> str | None:
        return case_of(self.node, {entry.case_id for entry in self.store.list()})

    def add(self, review: Review = ALL) -> CaseRecord:
        job = self.run(self.job(review))
        assert job.state is JobState.DONE, job.message
        return job.outcome.record

    def run(self, job: Job) -> Job:
        self.worker.submit(job)
        self.worker.wait(job, on_idle=Patience(60).check)
        return job


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    assert worker.close()


@pytest.fixture
def desk(tmp_path: Path, worker: Worker) -> Desk:
    image, truth = slabs()
    volume, model = add_volume(new_scene(), image), tiny_model(tmp_path / "model")
    prediction = sitk.GetArrayFromImage(truth)
    prediction[:, 8:10] = 0
    node = write_result(volume, prediction, model.card)
    return Desk(worker, CaseStore(tmp_path / "cases"), model, volume, node, prediction)


def paint(node: Any, place: tuple[slice, ...], value: int) -> None:
    """What the Segment Editor does with the labelmap that the segments share."""
    image = labelmap_image(node)
    labels_of(node)[place] = value
    image.GetPointData().GetScalars().Modified()
    image.Modified()


def test_the_untouched_prediction_stays_known_whatever_is_painted(desk: Desk) -> None:
    paint(desk.node, np.s_[:, 8:10], 1)
    paint(desk.node, np.s_[:8], 0)
    kept = untouched_labels(untouched_text(desk.node), desk.prediction.shape)
    assert kept is not None and np.array_equal(kept, desk.prediction)


def test_it_is_replaced_with_the_result_and_unknown_for_previews_and_other_nodes(desk: Desk) -> None:
    write_result(desk.volume, 0 * desk.prediction, desk.model.card, desk.node)
    kept = untouched_labels(untouched_text(desk.node), desk.prediction.shape)
    assert kept is not None and not kept.any()
    write_result(desk.volume, desk.prediction, desk.model.card, desk.node, preview=True)
    assert untouched_text(desk.node) == ""
    by_hand = desk.volume.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", "By hand")
    assert untouched_labels(untouched_text(by_hand), desk.prediction.shape) is None


@pytest.mark.parametrize("spoil", ["0", "", "../secrets", "f" * 32, "1 2 3 4 5 6 7 8 9 !!"])
def test_spoilt_keys_and_other_sizes_are_unknown_and_no_error(desk: Desk, spoil: str) -> None:
    text = untouched_text(desk.node)
    assert untouched_labels(text, (4, 4, 4)) is None
    content, _, key = text.partition(" ")
    assert untouched_labels(f"{content} {spoil}", desk.prediction.shape) is None
    assert untouched_labels(f"{'0' * len(content)} {key}", desk.prediction.shape) is None


@pytest.mark.parametrize("damage", [b"", b"lightmedseg-prediction-1 1 1\n", b"\xff\n\x00"])
def test_a_damaged_file_is_unknown_and_no_error(desk: Desk, damage: bytes) -> None:
    file = next(predictions_folder().iterdir())
    file.write_bytes(damage)
    assert untouched_labels(untouched_text(desk.node), desk.prediction.shape) is None
    key = hashlib.blake2b(damage, digest_size=16).hexdigest()
    file.rename(file.with_name(key))
    assert recall(key, desk.prediction.shape) is None


def reloaded(desk: Desk, path: Path) -> Any:
    """The result node of the scene after saving and loading it."""
    scene = desk.volume.GetScene()
    scene.SetURL(str(path))
    assert scene.Commit(str(path))
    loaded = slicer.vtkMRMLScene()
    loaded.SetURL(str(path))
    loaded.Import()
    node = loaded.GetFirstNodeByName(desk.node.GetName())
    node.kept_scene = loaded
    return node


def test_it_survives_saving_and_loading_the_scene_which_only_names_it(desk: Desk, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 3, desk.prediction.shape).astype(np.uint8)
    write_result(desk.volume, noise, desk.model.card, desk.node)
    paint(desk.node, np.s_[:], 1)
    node = reloaded(desk, tmp_path / "scene.mrml")
    names = [name for name in node.GetAttributeNames() if name.startswith("LightMedSeg.")]
    assert names and sum(len(node.GetAttribute(name)) for name in names) < 1000
    kept = untouched_labels(untouched_text(node), desk.prediction.shape)
    assert kept is not None and np.array_equal(kept, noise)


def test_on_another_computer_the_model_segments_once_more_and_a_note_explains_it(desk: Desk) -> None:
    job = desk.run(desk.job())
    assert job.outcome.notes == ()
    shutil.rmtree(predictions_folder())
    job = desk.run(desk.job())
    assert job.state is JobState.DONE and "not on this computer" in job.outcome.notes[0]
    assert all(value < 0.7 for value in job.outcome.record.test_then_train.dice.values()), "random weights"


def test_nobody_else_can_read_it_and_the_name_is_a_hash(desk: Desk) -> None:
    folder = predictions_folder()
    files = list(folder.iterdir())
    assert [re.fullmatch("[0-9a-f]{32}", file.name) is not None for file in files] == [True]
    assert (folder.stat().st_mode & 0o777, files[0].stat().st_mode & 0o777) == (0o700, 0o600)


def test_what_is_old_or_too_much_goes_and_what_is_used_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = predictions_folder()
    now = time.time()
    (first,) = folder.iterdir()
    os.utime(first, (now - 400 * 24 * 3600,) * 2)
    assert keep(0 * desk.prediction)
    assert not first.exists()
    monkeypatch.setattr(kept_predictions, "_MOST_FILES", 3)
    keys = [keep(np.full_like(desk.prediction, value)) for value in range(1, 4)]
    for age, key in zip((30, 20, 10), keys, strict=True):
        os.utime(folder / key, (now - age,) * 2)
    assert recall(keys[0], desk.prediction.shape) is not None
    assert keep(np.full_like(desk.prediction, 9))
    assert {path.name for path in folder.iterdir()} >= {keys[0], keys[2]}
    assert len(list(folder.iterdir())) == 3


def test_a_disk_that_refuses_does_not_spoil_the_segmentation(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise OutputError("The disk is full.")

    monkeypatch.setattr(kept_predictions, "atomic_write", refuse)
    node = write_result(desk.volume, 0 * desk.prediction, desk.model.card, desk.node)
    assert is_unedited(node) and untouched_labels(untouched_text(node), desk.prediction.shape) is None


def test_the_dice_of_a_case_is_that_of_the_untouched_prediction(desk: Desk) -> None:
    paint(desk.node, np.s_[:, 8:10], 1)
    record = desk.add()
    assert record.test_then_train is not None
    assert record.test_then_train.model == desk.model.card.identifier
    truth = labels_of(desk.node) == 1
    overlap = 2 * np.count_nonzero(truth & (desk.prediction == 1))
    expected = overlap / (np.count_nonzero(truth) + np.count_nonzero(desk.prediction == 1))
    assert record.test_then_train.dice["Structure 1"] == pytest.approx(expected, abs=1e-4)
    stored = desk.store.load(record.case_id)
    assert np.array_equal(stored.labels, labels_of(desk.node))


def test_where_the_prediction_is_unknown_the_model_segments_once_more(desk: Desk) -> None:
    desk.node.SetAttribute("LightMedSeg.Untouched", None)
    record = desk.add()
    assert record.test_then_train is not None
    assert all(value < 0.7 for value in record.test_then_train.dice.values()), "the tiny model's weights are random"


def test_a_prediction_of_another_model_is_not_taken_for_this_ones(desk: Desk, tmp_path: Path) -> None:
    other = tiny_model(tmp_path / "other", seed=5)
    job = desk.run(case_job([desk.volume], desk.node, other.folder, ALL, desk.store, "cpu"))
    assert all(value < 0.7 for value in job.outcome.record.test_then_train.dice.values())


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
    from LightMedSegLib.errors import InputImageError

    straight = Grid((4, 4, 10), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    with pytest.raises(InputImageError, match=r"between 40\.0 and 50\.0 mm"):
        reviewed_slab(straight, "S", 50.0, 40.0)
