"""Corrections in progress survive a killed program, and nothing of them stays once the scene is saved or closed."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from correct_bench import CorrectBench
from killed_session import run_session
from panel_bench import Bench, segmentation_nodes
from patience import limit
from stroke_marks import painted_state

from LightMedSegLib.core.errors import OutputError
from LightMedSegLib.core.geometry import Grid
from LightMedSegLib.finetuning.cases.review import reviewed_corrections
from LightMedSegLib.mrml.autosave.kept_segment import KeptSegment, from_arrays, to_arrays
from LightMedSegLib.mrml.segmentations.corrected import corrections_of
from LightMedSegLib.storage.kept_corrections import OwnCorrections, corrections_folder
from LightMedSegLib.storage.safetensors_file import read_tensors

BOX = ((4, 9), (5, 9), (6, 9))
SHAPE = (24, 24, 24)
SUPPORT = str(Path(__file__).resolve().parents[1] / "support")


def files() -> list[Path]:
    folder = corrections_folder()
    return sorted(path for path in folder.iterdir() if path.suffix == ".safetensors") if folder.is_dir() else []


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Path]:
    """What a killed session kept of the volume that make_volume makes."""
    run_session("__import__('kept_example').arrays()", [SUPPORT])
    (path,) = files()
    yield path


def test_nothing_is_shown_and_written_where_nothing_was_corrected(bench: Bench) -> None:
    assert not bench.ui.keptWidget.visible
    bench.panel.autosave.save()
    assert files() == []


def test_a_correction_is_kept_without_names_until_the_segmentation_is_saved(bench: Bench, tmp_path: Path) -> None:
    import slicer

    node = correct(bench)
    node.SetName("DOE_JANE")
    node.GetSegmentation().GetNthSegment(0).SetName("DOE_JANE")
    session(bench, lambda: files() != [])
    (path,) = files()
    assert b"JANE" not in path.read_bytes() and b"Scan" not in path.read_bytes()
    (kept,) = from_arrays(read_tensors(path))
    assert kept.mask.sum() == 60 and kept.mask[6:9, 5:9, 4:9].all()
    assert kept.marks["stroke_boxes"].tolist() == [[list(part) for part in BOX]]
    bench.panel.autosave.forget_saved()
    assert files() == [path], "the segmentation has changes that no file has"
    node.AddDefaultStorageNode()
    assert slicer.util.saveNode(node, str(tmp_path / "saved.seg.nrrd"))
    bench.panel.autosave.forget_saved()
    assert files() == []


def test_strokes_of_the_segment_editor_with_their_completions_are_kept_and_count_as_reviewed(
    correct: CorrectBench,
) -> None:
    replay, autosave = correct.switch_on(), correct.bench.panel.autosave
    replay.paint(correct.cube((8, 10), (8, 10), (10, 12)))
    correct.settle()
    autosave.save()
    session(correct.bench, lambda: files() != [])
    (kept,) = from_arrays(read_tensors(files()[0]))
    assert np.array_equal(kept.mask, replay.mask("object")) and len(kept.marks["completed_boxes"]) == 1
    corrections = corrections_of(replay.segmentation, replay.volume)
    assert corrections is not None and corrections.marked.sum() == 8
    reviewed = reviewed_corrections(kept.grid, corrections)
    assert reviewed[kept.mask].all() and not reviewed.all()
    replay.undo()
    correct.settle()
    autosave.save()
    autosave._saver.wait()
    assert not from_arrays(read_tensors(files()[0]))[0].mask.any()
    autosave.forget()


@pytest.mark.parametrize("end", ["close the scene", "end Slicer", "remove the segment"])
def test_nothing_stays_after_a_normal_end(bench: Bench, end: str) -> None:
    import slicer

    node = correct(bench)
    session(bench, lambda: files() != [])
    if end == "close the scene":
        slicer.mrmlScene.Clear(0)
    elif end == "end Slicer":
        bench.panel.autosave.close()
    else:
        node.GetSegmentation().RemoveAllSegments()
        bench.panel.autosave.save()
    assert files() == []


def test_what_a_killed_session_left_is_restored_with_its_marks(killed: Path, bench: Bench) -> None:
    from LightMedSegLib.mrml.strokes.marks import kept_marks

    ui = bench.ui
    assert ui.keptWidget.visible and not ui.restoreKeptButton.enabled
    assert "load their scan" in ui.keptLabel.text
    bench.choose_volume("Another scan", side=20)
    assert not ui.restoreKeptButton.enabled
    volume = bench.choose_volume()
    assert ui.restoreKeptButton.enabled and ui.keptLabel.text == "Corrections of an earlier session are kept."
    ui.restoreKeptButton.click()
    assert not ui.keptWidget.visible
    (node,) = segmentation_nodes()
    assert bench.parameters.outputSegmentation is node
    segment_id = node.GetSegmentation().GetNthSegmentID(0)
    assert mask_of(node, segment_id, volume).sum() == 60
    assert np.allclose(node.GetSegmentation().GetSegment(segment_id).GetColor(), (1.0, 0.0, 0.2))
    assert kept_marks(node)[segment_id]["stroke_boxes"].tolist() == [[list(part) for part in BOX]]
    # The restored correction is in progress again, in a file of this session.
    (path,) = files()
    assert path != killed
    bench.panel.autosave.forget()


def test_discarding_asks_and_deletes(killed: Path, bench: Bench) -> None:
    import qt

    bench.session.dialogs.answer(qt.QMessageBox.Cancel)
    bench.ui.discardKeptButton.click()
    assert killed.exists() and bench.ui.keptWidget.visible
    bench.session.dialogs.answer(qt.QMessageBox.Ok)
    bench.ui.discardKeptButton.click()
    assert files() == [] and not bench.ui.keptWidget.visible


@pytest.mark.parametrize("error", [OutputError("The disk is full."), ValueError("not foreseen")])
def test_what_was_left_stays_until_it_is_written_again(
    killed: Path, bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(own: OwnCorrections, tensors: Any) -> None:
        raise error

    monkeypatch.setattr(OwnCorrections, "write", refuse)
    bench.choose_volume()
    bench.ui.restoreKeptButton.click()
    assert killed.exists() and len(segmentation_nodes()) == 1
    bench.panel.autosave._write()
    bench.panel.autosave._saver.wait()
    (record,) = (one for one in caplog.records if "not kept for a crash" in one.message)
    assert str(error) in record.message and bool(record.exc_info) == isinstance(error, ValueError)


def test_no_garbage_is_collected_while_a_thread_writes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    write, held, go_on = OwnCorrections.write, [], threading.Event()

    def slowly(own: OwnCorrections, tensors: Any) -> None:
        held.append(not gc.isenabled())
        go_on.wait(limit(60))
        write(own, tensors)

    monkeypatch.setattr(OwnCorrections, "write", slowly)
    correct(bench)
    bench.panel.autosave.save()
    bench.session.wait_until(lambda: held != [], what="the write to begin")
    assert held == [True] and not gc.isenabled()
    go_on.set()
    bench.session.wait_until(gc.isenabled, what="the collector")
    assert len(files()) == 1
    bench.panel.autosave.forget()


@pytest.mark.parametrize("content", [b"", b"no tensors", None])
def test_a_damaged_file_is_deleted_without_a_word(killed: Path, content: bytes | None, request: Any) -> None:
    from LightMedSegLib.storage.safetensors_file import write_tensors

    if content is None:
        arrays = read_tensors(killed)
        del arrays["0.place"]
        write_tensors(killed, arrays)
    else:
        killed.write_bytes(content)
    bench = request.getfixturevalue("bench")
    assert not bench.ui.keptWidget.visible
    assert files() == []


def test_segments_go_through_arrays_and_damaged_ones_are_refused() -> None:
    grid = Grid((5, 6, 7), (1.0, 2.0, 3.0), (-4.5, 0.0, 9.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0))
    masks = np.random.default_rng(0).random((2, *grid.shape)) > 0.9
    masks[1] = False
    segments = [KeptSegment(grid, mask, (1, 2, 3), {"painted": np.arange(3, dtype=np.uint8)}) for mask in masks]
    arrays = to_arrays(segments)
    for before, after in zip(segments, from_arrays(arrays), strict=True):
        assert after.grid == before.grid and after.color == before.color
        assert np.array_equal(after.mask, before.mask) and np.array_equal(after.marks["painted"], np.arange(3))
    for changed in ({"0.size": np.array([5, 6, 2**40])}, {"0.region": np.array([[0, 1]])}, {"x": np.zeros(1)}):
        with pytest.raises(ValueError):
            from_arrays({**arrays, **changed})


def correct(bench: Bench) -> Any:
    """A segmentation of the chosen volume with a painted box."""
    from LightMedSegLib.mrml.strokes.lattice import Lattice
    from LightMedSegLib.mrml.strokes.marks import keep_marks
    from LightMedSegLib.mrml.strokes.new_structure import new_segmentation
    from LightMedSegLib.mrml.strokes.segment_voxels import SegmentVoxels

    volume = bench.choose_volume()
    node = new_segmentation(volume, "Corrected")
    segment_id = node.GetSegmentation().AddEmptySegment("", "Box", (1.0, 0.0, 0.2))
    voxels = SegmentVoxels(node, segment_id, Lattice.of(node, volume))
    voxels.write(BOX, np.zeros((3, 4, 5), dtype=bool), np.ones((3, 4, 5), dtype=bool))
    keep_marks(node, segment_id, painted_state(SHAPE, BOX))
    bench.panel.autosave.changed(voxels)
    return node


def session(bench: Bench, condition: Any) -> None:
    bench.session.wait_until(condition, what="the corrections to be kept")
    bench.session.wait_until(lambda: not bench.panel.autosave._saver.busy, what="the file")


def mask_of(node: Any, segment_id: str, volume: Any) -> np.ndarray:
    import slicer

    return slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume)
