"""The untouched prediction of a result: kept on the disk, named by the scene, and never necessary."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from mrml_case_desk import Desk, paint
from mrml_job_stubs import PreviewSegment, begin, finish
from mrml_nodes import add_volume, slicer

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.mrml.jobs.job_state import JobState
from LightMedSegLib.mrml.jobs.worker import Worker
from LightMedSegLib.mrml.segmentations import kept_predictions
from LightMedSegLib.mrml.segmentations.kept_predictions import keep, predictions_folder, recall
from LightMedSegLib.mrml.segmentations.result_record import is_unedited
from LightMedSegLib.mrml.segmentations.untouched import untouched_labels, untouched_text
from LightMedSegLib.mrml.segmentations.writing import write_result


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
    assert all(value < 0.7 for value in job.outcome.record.baseline_dice.dice.values()), "random weights"


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


def test_a_preview_is_not_kept(worker: Worker, volume: sitk.Image) -> None:
    node, stub = add_volume(slicer.vtkMRMLScene(), volume, "Scan"), PreviewSegment()
    options = SegmentOptions(preview_spacing=(2.0, 2.0, 2.0))
    finish(worker, stub, begin(worker, node, stub, options=options))
    assert stub.calls[0] == options
    assert len(list(predictions_folder().iterdir())) == 1
