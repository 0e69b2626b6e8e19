"""LightMedSegLogic.process: segmentation from scripts."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from panel_bench import MODULE_FILE, Bench, blocks, segment_names, segmentation_nodes
from paths import REPOSITORY

from LightMedSegLib.core.errors import CancelledError, InputImageError, LightMedSegError, ModelPackageError
from LightMedSegLib.inference.options import SegmentOptions


def test_process_waits_and_returns_the_segmentation(bench: Bench) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume
    from LightMedSegLib.mrml.segmentations.reading import read_labelmap

    volume = make_volume()
    node = bench.panel.logic.process(volume, model="self-test")
    assert segment_names(node) == ["Bright", "Very bright"]
    assert np.array_equal(read_labelmap(node, volume).labels, blocks())
    assert bench.ui.segmentButton.text == "Segment"


def test_process_takes_a_name_a_folder_a_model_or_the_first_there_is(bench: Bench) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume
    from LightMedSegLib.model.package import load_model

    volume, folder = make_volume(), bench.folder / bench.model
    for model in (None, "self-test", bench.model, folder, load_model(folder)):
        node = bench.panel.logic.process(volume, model=model)
        assert node.GetAttribute("LightMedSeg.Model") == "self-test"


def test_process_without_waiting_returns_a_job(bench: Bench) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume
    from LightMedSegLib.mrml.jobs.job_state import JobState

    ended: list[Any] = []
    job = bench.panel.logic.process(make_volume(), wait=False, onEnd=ended.append)
    assert job.state is JobState.QUEUED
    bench.session.wait_until(lambda: bool(ended), what="the end")
    assert ended == [job] and job.state is JobState.DONE
    assert segment_names(job.outcome.node) == ["Bright", "Very bright"]


def test_process_keeps_edits_unless_told_otherwise(bench: Bench) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    volume, logic = make_volume(), bench.panel.logic
    first = logic.process(volume)
    first.GetSegmentation().GetNthSegment(0).SetName("Mine")
    second = logic.process(volume, first)
    assert second is not first and segment_names(first)[0] == "Mine"
    assert logic.process(volume, first, overwrite=True) is first
    assert segment_names(first)[0] == "Bright"


@pytest.mark.parametrize(
    ("arguments", "kind", "sentence"),
    [
        ({"model": "unknown"}, ModelPackageError, "There is no model 'unknown'; available: self-test@1.0.0"),
        ({"model": Path("nowhere")}, ModelPackageError, "no model package at nowhere"),
        ({"volumeNode": None}, InputImageError, "No volume is chosen"),
        ({"volumeNode": []}, InputImageError, "1 volume\\(s\\) \\(T1\\); 0 were given"),
    ],
)
def test_process_says_what_is_wrong(
    bench: Bench,
    arguments: dict[str, Any],
    kind: type[LightMedSegError],
    sentence: str,
) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    with pytest.raises(kind, match=sentence):
        bench.panel.logic.process(**{"volumeNode": make_volume(), **arguments})
    assert bench.panel.logic.job is None


def test_process_raises_what_happened_in_the_worker(bench: Bench) -> None:
    import slicer

    from LightMedSegLib.gui.self_test.scenarios import make_volume

    logic, volume = bench.panel.logic, make_volume()

    def fails(*args: Any, **settings: Any) -> None:
        raise KeyError("defect")

    logic.segment = fails
    with pytest.raises(LightMedSegError, match="unexpected problem") as caught:
        logic.process(volume)
    assert isinstance(caught.value.__cause__, KeyError)
    logic.segment = bench.segment
    bench.segment.seconds = 5.0
    import qt

    qt.QTimer.singleShot(200, logic.cancel)
    with pytest.raises(CancelledError):
        logic.process(volume)
    qt.QTimer.singleShot(200, lambda: slicer.mrmlScene.RemoveNode(volume))
    with pytest.raises(InputImageError, match="was removed"):
        logic.process(volume)
    assert segmentation_nodes() == []


def test_two_logics_do_not_disturb_each_other(bench: Bench) -> None:
    """A script makes its own while the panel is busy."""
    import LightMedSeg
    from LightMedSegLib.gui.self_test.scenarios import make_volume
    from LightMedSegLib.gui.self_test.stand_in_model import ThresholdSegment

    bench.choose_volume()
    bench.segment.seconds = 0.5
    bench.start()
    own = LightMedSeg.LightMedSegLogic()
    own.store, own.segment = bench.panel.logic.store, ThresholdSegment()
    own.process(make_volume("Second"))
    bench.finish()
    own.close()
    assert len(segmentation_nodes()) == 2


def example() -> str:
    """The example in the docstring of process, as the user would paste it."""
    import LightMedSeg

    lines = LightMedSeg.LightMedSegLogic.process.__doc__.splitlines()
    start = next(index for index, line in enumerate(lines) if "runnable example" in line) + 2
    code = []
    for line in lines[start:]:
        if not line.strip():
            break
        code.append(line.strip())
    return "\n".join(code)


def test_the_documented_example_runs(slicer_runtime: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """With the real library, the shipped model and the shipped sample."""
    import slicer

    slicer_runtime.load_module(MODULE_FILE)
    exec(example(), {"slicer": slicer})
    assert "Anterior_hippocampus" in capsys.readouterr().out
    node = segmentation_nodes()[0]
    assert node.GetAttribute("LightMedSeg.Model") == "hippocampus-t1-mr"


@pytest.mark.usefixtures("fastest_path")
@pytest.mark.slow
def test_both_hippocampi_of_a_whole_head_are_segmented_at_once(slicer_runtime: Any) -> None:
    import slicer

    from LightMedSegLib.io.sample_data import sample_path

    slicer_runtime.load_module(MODULE_FILE)
    from LightMedSeg import LightMedSegLogic

    volume = slicer.util.loadVolume(str(sample_path("head")))
    node = LightMedSegLogic().process(volume, model="hippocampus-t1-mr", device="cpu")
    sides = [f"{side} {part} hippocampus" for side in ("Left", "Right") for part in ("anterior", "posterior")]
    assert segment_names(node) == sides


class Sees:
    """Stands for LightMedSegLib.inference.segmentation.segment_with: notes the options."""

    def __init__(self) -> None:
        self.options: list[SegmentOptions] = []

    def __call__(self, image: Any, model: Any, options: SegmentOptions, progress: Any, cancel: Any) -> Any:
        import SimpleITK as sitk

        from LightMedSegLib.inference.segmentation import Segmentation
        from LightMedSegLib.model.package import load_model

        self.options.append(options)
        labels = sitk.Image(image.GetSize(), sitk.sitkUInt8)
        labels.CopyInformation(image)
        return Segmentation(labels, load_model(model).card, {}, "cpu")


COARSE = (3.0, 3.0, 3.0)


def test_a_large_volume_gets_a_preview_first_where_the_card_allows_it(
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume
    from LightMedSegLib.inference import segmentation
    from LightMedSegLib.mrml.jobs import preview

    sees, outcomes = Sees(), []
    monkeypatch.setattr(segmentation, "segment_with", sees)
    monkeypatch.setattr(preview, "WORTH_IT_VOXELS", 1000)
    bench.panel.logic.segment = None
    model = bench.add_model("coarse", preview_spacing_mm=COARSE)
    logic, volume = bench.panel.logic, make_volume()
    node = logic.process(volume, model=model, preview=True, mirror=("x",), onOutcome=outcomes.append)
    assert sees.options == [SegmentOptions(mirror=("x",), preview_spacing=COARSE), SegmentOptions(mirror=("x",))]
    assert [outcome.preview for outcome in outcomes] == [True, False]
    assert {outcome.node.GetID() for outcome in outcomes} == {node.GetID()}
    assert node.GetAttribute("LightMedSeg.Preview") is None
    logic.process(volume, model=bench.model, preview=True)
    logic.process(volume, model=model, preview=False)
    monkeypatch.setattr(preview, "WORTH_IT_VOXELS", 10**9)
    logic.process(volume, model=model, preview=True)
    assert len(sees.options) == 5, "no preview without the card, without being asked, or for a small volume"


@pytest.mark.parametrize("option", [{"overlap": 2.0}, {"mirror": ("w",)}, {"threads": 0}])
def test_an_impossible_option_is_refused_before_a_run_begins(bench: Bench, option: dict[str, Any]) -> None:
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    with pytest.raises(LightMedSegError, match=next(iter(option))):
        bench.panel.logic.process(make_volume(), model=bench.model, wait=False, **option)
    assert bench.panel.logic.job is None


def test_a_preview_shows_the_model_larger_voxels(tmp_path: Path) -> None:
    """The real library: the same structures, roughly, on the input's own grid."""
    from LightMedSegLib.inference.segmentation import segment_with
    from LightMedSegLib.io.sample_data import sample_path
    from LightMedSegLib.io.volume_files import read_volume
    from LightMedSegLib.model.store import ModelStore

    image = read_volume(sample_path("hippocampus"))
    model = ModelStore(REPOSITORY / "Resources" / "Models").find("hippocampus-t1-mr")
    result = segment_with(image, model, SegmentOptions("cpu", threads=1, preview_spacing=(1.5, 1.5, 1.5)))
    assert result.labelmap.GetSize() == image.GetSize()
    assert result.card == model.card


def test_a_script_that_forgets_its_logic_leaves_no_thread_behind(bench: Bench) -> None:
    import gc

    from LightMedSeg import LightMedSegLogic
    from LightMedSegLib.gui.self_test.scenarios import make_volume

    def running() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "LightMedSeg"}

    before = running()
    logic = LightMedSegLogic()
    logic.store, logic.segment = bench.panel.logic.store, bench.segment
    logic.process(make_volume(), model=bench.model)
    assert len(running() - before) == 1
    del logic
    gc.collect()
    bench.session.wait_until(lambda: running() == before, what="the end of the thread")
