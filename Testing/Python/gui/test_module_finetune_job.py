"""The fine-tune section around a job: its progress, broken and interrupted jobs, scenes that close."""

# Fixtures are imported by name and used by name: what the linter takes for a redefinition.
from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from patience import limit
from scripted_finetuning import BASELINE, START, TABLE, Finetune, step, verdict


def plot_nodes() -> list[Any]:
    import slicer

    kinds = ("vtkMRMLPlotViewNode", "vtkMRMLPlotChartNode", "vtkMRMLPlotSeriesNode", "vtkMRMLTableNode")
    return [node for kind in kinds for node in slicer.util.getNodesByClass(kind) if "statistics" not in node.GetName()]


def test_while_it_runs_bar_text_and_button_tell_how_far_it_is(finetune: Finetune) -> None:
    finetune.result()
    record = finetune.add_case()
    finetune.start()
    ui = finetune.ui
    description = json.loads((finetune.process.folder / "job.json").read_text())
    assert description["model"] == "self-test@1.0.0" and description["cases"] == [record.case_id]
    assert description["adopt"] == "ask"
    finetune.see(START)
    assert ui.finetuneLabel.text.startswith("Comparing the current version with your corrections. Elapsed:")
    finetune.see(
        BASELINE, step(1, 1), step(1, 2), {"event": "dice", "held_out": 0.85, "part": 1, "parts": 2, "step": 2}
    )
    finetune.bench.session.wait_until(lambda: "left" in ui.finetuneLabel.text, what="the estimate")
    assert "Test 1 of 1: training without a part of your corrections, step 2 of 10" in ui.finetuneLabel.text
    assert ui.finetuneBar.visible and ui.finetuneBar.value == 10
    finetune.see({"event": "part", "part": 1, "parts": 2, "held_out": TABLE}, step(2, 10), {"event": "testing"})
    assert ui.finetuneLabel.text.startswith("Testing the new version.")
    assert finetune.section.progress.dice == [(2, 0.85), (10, 0.9)]
    assert not any(node.GetSaveWithScene() for node in plot_nodes())
    finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.see(verdict(), alive=False)
    assert not ui.finetuneBar.visible and ui.finetuneButton.text == "Fine-tune"
    assert ui.verdictLabel.text == "A note."


def test_the_plots_fit_their_data_and_draw_no_line_of_a_single_point(
    finetune: Finetune, caplog: pytest.LogCaptureFixture
) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1), {"event": "dice", "held_out": 0.85, "part": 1, "parts": 2, "step": 1})
    dice, loss = finetune.section.curves.plots.views
    assert [name for name, _, _ in dice._checked().series()] == ["Before"], "one point is no curve"
    for view in (dice, loss):
        view.grab()
    finetune.see(*(step(1, number) for number in range(2, 11)))
    finetune.see({"event": "dice", "held_out": 0.6, "part": 1, "parts": 2, "step": 10}, step(2, 10))
    for view in (dice, loss):
        view.grab()
        points = [point for _, _, line in view._checked().series() for point in line]
        (left, right), (low, high) = view._checked().axis_ranges()
        assert all(left <= x <= right and low < y < high for x, y in points)
        assert (left, right) == (0, 20), "both axes reach from the beginning to the end of the job"
    assert "Attempted to paint a line" not in caplog.text


def test_the_plots_show_no_raw_names_and_their_legend_covers_no_curve(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1), step(1, 2))
    for view in finetune.section.curves.plots.views:
        chart = view._checked().chart()
        assert not chart.GetLegendVisibility() and not chart.GetTitleVisibility()
        assert view.className() == "qMRMLPlotView", "a qMRMLPlotWidget has a bar with the name of its node"
    dice, loss = (label.text for label in finetune.section.curves.plots.titles)
    assert "Before" in dice and "New version" in dice and "#1f78b5" in dice
    assert loss == "<b>Training loss</b>"


def test_a_curve_that_is_not_there_any_more_takes_its_nodes_along(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, *(step(1, number) for number in (1, 2)))
    count = len(plot_nodes())
    finetune.see({"event": "cancelled"}, alive=False)
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1))
    assert len(plot_nodes()) == count - 2, "series and table of the loss"


def test_closing_the_scene_does_not_touch_the_job_and_its_curves_come_back(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1))
    finetune.bench.session.close_scene()
    assert finetune.section.running and finetune.process.stop_requests == 0
    finetune.bench.parameters.model = finetune.bench.model
    finetune.see(step(1, 2))

    def drawn() -> bool:
        dice, loss = (view._checked().series() for view in finetune.section.curves.plots.views)
        return [len(points) for _, _, points in loss] == [2] and [name for name, _, _ in dice] == ["Before"]

    finetune.bench.session.wait_until(drawn, what="the curves")
    finetune.see(verdict(candidate=None, accepted=False, reasons=["Swapped?"]), alive=False)
    assert finetune.ui.verdictTitleLabel.text == "Nothing was trained, because something looks wrong:"


def test_a_job_that_ends_while_another_module_is_open_is_shown_afterwards(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.ui.adoptCheckBox.checked = True
    finetune.start()
    assert json.loads((finetune.process.folder / "job.json").read_text())["adopt"] == "if_better"
    finetune.bench.session.leave_module()
    finetune.install("1.1.0-tuned.1", parent="self-test@1.0.0")
    finetune.bench.panel.logic.store.choose("self-test", "1.1.0-tuned.1")  # as the job does
    finetune.see(START, BASELINE, step(1, 1), verdict(adopted=True), alive=False)
    finetune.bench.session.open_module("LightMedSeg")
    assert finetune.bench.parameters.model == "self-test@1.1.0-tuned.1"
    assert "is in use now" in finetune.ui.verdictTitleLabel.text and finetune.ui.verdictFrame.visible
    assert finetune.ui.keepAsideButton.text == "Close" and not finetune.ui.adoptButton.visible


def test_slicer_ending_or_the_module_reloading_stops_the_job(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see(START, BASELINE, step(1, 1))
    finetune.bench.panel.cleanup()
    assert finetune.process.ended and not finetune.section.running
    assert plot_nodes() == []
    assert not [path for path in finetune.process.folder.iterdir() if path.name == "result.json"]


def test_slicers_end_asks_both_jobs_before_it_waits_and_waits_less_than_two_seconds(
    finetune: Finetune, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the segmentation nor the fine-tuning listens here."""
    import threading

    import LightMedSeg
    from LightMedSegLib.gui.finetune import process
    from LightMedSegLib.mrml.jobs import worker

    finetune.result()
    finetune.add_case()
    finetune.start()
    bench, release, waits, last = finetune.bench, threading.Event(), [], []
    bench.panel.logic.segment = lambda *args, **settings: release.wait(limit(60))
    bench.ui.segmentButton.click()
    runner = bench.panel.logic.runner
    bench.session.wait_until(lambda: runner.job.state.name == "RUNNING", what="the segmentation to run")
    job = runner.job

    class Process(process.LocalProcess):
        def __init__(self) -> None:
            self._folder = finetune.process.folder
            self._process = SimpleNamespace(stdin=None, wait=self.wait)

        def wait(self, seconds: float) -> None:
            assert job.stopping, "the segmentation would go on meanwhile"
            waits.append(seconds)
            raise subprocess.TimeoutExpired("job", seconds)

    finetune.section.process = Process()
    monkeypatch.setattr(LightMedSeg, "time", SimpleNamespace(monotonic=lambda: sum(waits)))
    monkeypatch.setattr(threading.Thread, "join", lambda thread, timeout=None: waits.append(timeout))
    monkeypatch.setattr(worker.atexit, "register", lambda *arguments: last.append(arguments))
    bench.panel.cleanup()
    assert sum(waits) < 2 and len(waits) >= 2, waits
    # One or two: the thread that added the case may still be ending, because joining is replaced above.
    assert 1 <= len(last) <= 2, "a thread that is left in PyTorch must not see the interpreter end"
    assert (finetune.process.folder / "stop").exists()
    release.set()


def test_a_cancelled_job_is_asked_until_it_ends(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.ui.finetuneButton.click()
    asked = finetune.process.stop_requests
    finetune.bench.session.wait_until(lambda: finetune.process.stop_requests > asked, what="asking again")
    assert finetune.ui.finetuneLabel.text == "Stopping..."
    finetune.see({"event": "cancelled"}, alive=False)
    assert finetune.ui.finetuneLabel.text.startswith("Stopped: nothing was changed.")


def test_a_process_that_breaks_down_or_fails_says_so(finetune: Finetune, caplog: pytest.LogCaptureFixture) -> None:
    finetune.result()
    finetune.add_case()
    finetune.start()
    finetune.see({"event": "failed", "message": "There is no case 00."}, alive=False)
    assert finetune.ui.finetuneLabel.text == "The fine-tuning failed. There is no case 00."
    finetune.start()
    finetune.see(START, alive=False)
    assert finetune.ui.finetuneLabel.text.startswith("The fine-tuning broke down; the Python console says where.")
    assert "it broke" in caplog.text


@pytest.mark.parametrize(
    ("number", "item", "words"),
    [
        (errno.ENOMEM, None, f"cannot start ({os.strerror(errno.ENOMEM)}); close other programs and try again."),
        (errno.ENOENT, "/gone/python", f"python cannot be run ({os.strerror(errno.ENOENT)}); install Slicer again."),
        (errno.ENOSPC, "{folder}/events.jsonl", "events.jsonl cannot be written: the disk is full."),
    ],
)
def test_a_process_that_cannot_be_started_says_so(
    number: int, item: str | None, words: str, finetune: Finetune
) -> None:
    def refuse(folder: Path) -> Any:
        raise OSError(number, os.strerror(number), *([item.format(folder=folder)] if item else []))

    finetune.result()
    finetune.add_case()
    finetune.bench.panel.logic.launch = refuse
    finetune.ui.finetuneButton.click()
    text = finetune.ui.finetuneLabel.text
    assert text.startswith("The fine-tuning cannot start") and words in text
    assert not finetune.section.running


def test_an_interrupted_job_and_an_unseen_verdict_are_found_after_a_restart(finetune: Finetune) -> None:
    finetune.result()
    finetune.add_case()
    folder = finetune.bench.panel.logic.jobs_folder / "self-test@1.0.0"
    (folder / "work").mkdir(parents=True)
    (folder / "job.json").write_text("{}")
    (folder / "stop").touch()
    gone = finetune.bench.panel.logic.jobs_folder / "gone-model@1.0.0"
    gone.mkdir()
    (folder / ".lightmedseg-tmp-0123456789abcdef").write_text("half")
    finetune.section.clear_up()
    assert not gone.exists() and sorted(path.name for path in folder.iterdir()) == [".lock", "job.json", "work"]
    finetune.bench.panel.update()
    assert finetune.ui.finetuneButton.text == "Resume the fine-tuning"
    assert "was interrupted" in finetune.ui.finetuneLabel.text
    (folder / "result.json").write_text(json.dumps(verdict(candidate=None, accepted=False, reasons=["Empty."])))
    finetune.bench.panel.update()
    assert finetune.ui.verdictFrame.visible and "Empty." in finetune.ui.verdictLabel.text
    finetune.ui.keepAsideButton.click()
    finetune.bench.panel.update()
    assert not finetune.ui.verdictFrame.visible and not (folder / "result.json").exists()
