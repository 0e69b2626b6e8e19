"""The child process of privacy.py: goes every way through the program, once, with the planted scans of its folder.

Every command's words go to a file of its own. The environment has closed the network, see privacy.py.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from finetuning_factory import tiny_model
from training_factory import content, write_decathlon_folder

from LightMedSegLib.cli import main
from Reliability.planted import IN_PATHS


def commands(folder: Path, place: Path, model: Path) -> list[tuple[str, list[object], int]]:
    """Name, words and the exit code that is right."""
    out, nrrd = folder / "out", place / f"{IN_PATHS[1]}.nrrd"
    tuning = ["--steps", 3, "--device", "cpu", "--threads", 1]
    own = ["--model", "test-model"]
    return [
        ("import", ["models", "import", model], 0),
        ("list", ["models", "list"], 0),
        ("show", ["models", "show", "test-model"], 0),
        ("verify", ["models", "verify"], 0),
        ("export", ["models", "export", "test-model", out / "model.zip"], 0),
        ("series", ["segment", place / "series", out / "series.seg.nrrd", *own, "--montage", out / "series.png",
                    "--json", out / "series.json"], 0),
        ("nrrd", ["segment", nrrd, out / "scan.nrrd", *own, "--montage", out / "scan.png"], 0),
        ("nifti", ["segment", place / "cases" / "images" / f"{IN_PATHS[1]}0.nii.gz", out / "scan.nii.gz", *own], 0),
        ("metaimage", ["segment", place / f"{IN_PATHS[1]}.mha", out / "scan.mha", *own], 0),
        ("broken", ["segment", place / f"{IN_PATHS[1]}broken.nrrd", out / "broken.nrrd", *own], 2),
        ("missing", ["segment", place / "nothing.nrrd", out / "broken.nrrd", *own], 2),
        ("evaluate", ["evaluate", out / "scan.nrrd", place / "truth.nrrd", "--json", out / "figures.json"], 0),
        ("finetune", ["finetune", *own, "--cases", place / "cases", "--out", out / "tuned", "--install", *tuning], 0),
    ]  # fmt: skip


def walk(folder: Path, long: bool) -> None:
    """All commands; if long, export, training and the module with its fine-tuning, too."""
    place = folder / IN_PATHS[0]
    model = tiny_model(folder / "model").folder
    (folder / "out").mkdir()
    (folder / "words").mkdir()
    every = commands(folder, place, model)
    if long:
        every += [("onnx", ["export", "test-model", folder / "out" / "model.onnx"], 0), _training(folder)]
    for name, words, expected in every:
        told = (folder / "words" / name).open("w")
        with told as stream, contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
            code = main([str(word) for word in words])
        print(name, file=sys.stderr)
        if code != expected:
            shown = (folder / "words" / name).read_text()
            raise AssertionError(f"{name} ended with {code} instead of {expected}: {shown}")
    if long:
        _module(folder)


def _training(folder: Path) -> tuple[str, list[object], int]:
    data = folder / IN_PATHS[0] / "training"
    write_decathlon_folder(data)
    run = folder / "run.json"
    run.write_text(json.dumps(content(network={"name": "lightmedseg-tiny"})))
    return "train", ["train", "--config", run, "--data", data, "--out", folder / "out" / "run", "--device", "cpu"], 0


def _module(folder: Path) -> None:
    """The panel: segment a volume whose node has a person's name, store the case, fine-tune, adopt."""
    from Runtime.bootstrap import start

    session = start(folder / "home" / "slicer")
    session.reset()
    import slicer
    from paths import REPOSITORY

    logging.getLogger().addHandler(logging.FileHandler(folder / "words" / "slicer.log"))
    logging.getLogger().setLevel(logging.DEBUG)
    session.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
    panel = session.open_module("LightMedSeg")
    from LightMedSegLib.finetuning.job.settings import FinetuneSettings
    from LightMedSegLib.gui.segment.samples import fill_panel

    panel.logic.finetune_settings = FinetuneSettings(steps=2, minimum_gain=0.0, reference_tolerance=0.5)
    panel.parameters.model = "hippocampus-t1-mr@1.0.0"
    fill_panel(panel, "hippocampus")
    panel.parameters.inputVolume.SetName(IN_PATHS[2])
    panel.ui.segmentButton.click()
    session.wait_until(lambda: not panel.run.running, 120, "the segmentation")
    node = panel.logic.getParameterNode().outputSegmentation
    assert node is not None, panel.ui.statusLabel.text
    node.SetName(f"{IN_PATHS[2]} result")
    panel.ui.addCaseButton.click()
    session.wait_until(lambda: not panel.addCase.adding, 60, "the case")
    assert panel.logic.cases.list(), panel.ui.addCaseLabel.text
    panel.ui.finetuneButton.click()
    assert panel.finetune.running, panel.ui.finetuneLabel.text
    session.wait_until(lambda: not panel.finetune.running, 240, "the end of the fine-tuning")
    panel.logic.segment = _fails
    panel.ui.segmentButton.click()
    session.wait_until(lambda: not panel.run.running, 60, "the failure")
    panel.finetune.close()
    slicer.mrmlScene.Clear(0)


def _fails(*arguments: Any) -> None:
    raise RuntimeError("a defect")


if __name__ == "__main__":
    os.umask(0o022)
    walk(Path(sys.argv[1]), sys.argv[2] == "long")
