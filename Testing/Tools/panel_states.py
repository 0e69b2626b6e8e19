"""The panel's states one after the other, as a user comes through them, for make_panel_pictures.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

VERSIONS = {"worse": 1, "better": 2}
STEPS = 60
TABLES = {
    "better": {"before": 0.938, "after": 0.950},
    "worse": {"before": 0.938, "after": 0.921},
}


class BlockSegment:
    """Stands in for the library: every structure of a model is a block with doubtful ends; takes `seconds` for it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, image: Any, model: Any, options: Any, progress: Any, cancel: Any) -> Any:
        """Blocks of growing size in the middle of the image."""
        import time

        import SimpleITK as sitk

        from LightMedSegLib.inference.result import as_image
        from LightMedSegLib.inference.segmentation import Segmentation
        from LightMedSegLib.model.store import resolve_model

        card = resolve_model(model).card
        for step in range(20):
            cancel.raise_if_cancelled()
            progress(step, 20, f"Segmenting, window {step + 1} of 20")
            time.sleep(self.seconds / 20)
        labels = np.zeros(sitk.GetArrayFromImage(image).shape, dtype=np.uint8)
        for number, label in enumerate(card.labels):
            z, y = divmod(number, 6)
            labels[4 * z : 4 * z + 3, 5 * y : 5 * y + 4, 8 : 12 + number] = label.value
        doubt = np.where(labels != np.roll(labels, 1, axis=2), 180, 0).astype(np.uint8)
        shown = as_image(doubt, image) if options.doubt else None
        return Segmentation(as_image(labels, image), card, {"network": self.seconds}, "cpu", doubt=shown)


class PanelStates:
    """session: of the runtime, with the module loaded. sample: of those that come with the extension."""

    def __init__(self, session: Any, sample: str = "hippocampus") -> None:
        self._session, self._sample = session, sample

    def walk(self) -> Iterator[str]:
        """The name of each state, while the panel is in it."""
        import slicer

        from LightMedSegLib.io.sample_data import sample_path

        session = self._session
        session.torch.hide()
        self._panel = session.open_module("LightMedSeg")
        self._ui = self._panel.ui
        yield "01-no-torch"
        session.torch.reveal()
        self._panel.update()
        yield "02-no-volume"
        self._segment = self._panel.logic.segment = BlockSegment()
        volume = slicer.util.loadVolume(str(sample_path(self._sample)), {"name": "Scan"})
        self._panel.parameters.inputVolume = volume
        for name in self._panel.models.names():
            self._panel.parameters.model = name
            yield f"03-model-{name.partition('@')[0]}"
        if hasattr(self._ui, "detailsButton"):
            self._ui.detailsButton.checked = True
            yield "04-details"
            self._ui.detailsButton.checked = False
        self._panel.parameters.model = self._named("brain")
        yield "05-ready"
        yield from self._runs()
        yield from self._fine_tuning()
        for name in ("advancedButton", "aboutButton"):
            getattr(self._ui, name).collapsed = False
        self._ui.finetuneSectionButton.collapsed = True
        yield "20-advanced"

    def _named(self, beginning: str) -> str:
        return next(name for name in self._panel.models.names() if name.startswith(beginning))

    def _runs(self) -> Iterator[str]:
        panel, ui = self._panel, self._ui
        self._segment.seconds = 20.0
        ui.segmentButton.click()
        self._session.wait_until(lambda: ui.progressBar.value >= 15, 30, "progress")
        yield "06-running"
        ui.segmentButton.click()
        self._wait(lambda: not panel.run.running)
        self._segment.seconds = 0.0
        self._run()
        yield "07-done-32"
        panel.parameters.model = self._named("hippocampus")
        self._run()
        yield "08-done"
        yield from self._doubt()
        self._edit()
        yield "09-edited"
        yield from self._corrections()

    def _doubt(self) -> Iterator[str]:
        ui = self._ui
        ui.doubtCheckBox.checked = True
        self._run()
        yield "08-doubt"
        for _ in range(2):
            ui.nextPlaceButton.click()
            ui.lookedCheckBox.click()
        yield "08-doubtful-place"
        ui.doubtCheckBox.checked = False
        self._run()

    def _corrections(self) -> Iterator[str]:
        from LightMedSegLib.gui.self_test.stand_in_network import BrightnessCompleter

        panel, ui = self._panel, self._ui
        panel.correct.make_completer = BrightnessCompleter
        ui.correctSectionButton.collapsed = False
        ui.completeCheckBox.checked = True
        yield "09-correct"
        ui.clicksButton.click()
        self._wait(lambda: not panel.correct.clicks.busy)
        yield "09-correct-clicks"
        ui.discardButton.click()
        ui.completeCheckBox.checked = False
        ui.correctSectionButton.collapsed = True
        self._session.process_events()

    def _run(self) -> None:
        self._ui.segmentButton.click()
        self._wait(lambda: not self._panel.run.running)

    def _edit(self) -> None:
        import slicer

        node, volume = self._panel.parameters.outputSegmentation, self._panel.parameters.inputVolume
        for segment_id in node.GetSegmentation().GetSegmentIDs():
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume)
            mask = np.maximum(mask, np.roll(mask, 1, axis=1))
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, segment_id, volume)
        self._panel.update()

    def _fine_tuning(self) -> Iterator[str]:
        panel, ui, model = self._panel, self._ui, self._panel.parameters.model
        started: list[ScriptedProcess] = []

        def launch(folder: Path) -> ScriptedProcess:
            started.append(ScriptedProcess(folder))
            return started[-1]

        panel.logic.launch = launch
        ui.finetuneSectionButton.collapsed = False
        yield "10-finetune-add"
        for _ in range(2):
            ui.addCaseButton.click()
            self._wait(lambda: not panel.addCase.adding)
            panel.parameters.outputSegmentation = None
            self._run()
            self._edit()
        yield "11-finetune-train"
        ui.finetuneSectionButton.collapsed, ui.effortSectionButton.collapsed = True, False
        yield "11-time-and-strokes"
        ui.finetuneSectionButton.collapsed, ui.effortSectionButton.collapsed = False, True
        for word in ("worse", "better"):
            ui.finetuneButton.click()
            process = started[-1]
            process.waiting = list(training_events(model))
            self._session.process_events(0.6)
            yield f"12-finetune-running-{word}"
            candidate = self._install(model, word)
            process.waiting, process.alive = [verdict(candidate, word)], False
            self._wait(lambda: not panel.finetune.running)
            yield f"13-verdict-{word}"
        ui.adoptButton.click()
        yield "14-adopted"
        ui.keepAsideButton.click()
        if hasattr(ui.versionsGroup, "collapsed"):
            ui.versionsGroup.collapsed = False
        yield "15-versions"

    def _install(self, model: str, word: str) -> str:
        """A version in the store as a fine-tuning leaves it."""
        from LightMedSegLib.model.package import save_model

        store = self._panel.logic.store
        entry = next(entry for entry in store.list() if entry.identifier == model)
        card = json.loads((entry.folder / "model.json").read_text(encoding="utf-8"))
        parent = {"name": card["name"], "version": card["version"], "weights_sha256": card["weights"]["sha256"]}
        training = {**card["training"], "cases": {"train": 2, "validation": 0, "test": 0}}
        report = {key: verdict(model, word)[key] for key in ("accepted", "reasons", "notes", "held_out", "reference")}
        card |= {"version": f"2.1.0-tuned.{VERSIONS[word]}", "parent": parent, "training": training,
                 "metrics": {"fine_tuning": report}}  # fmt: skip
        identifier = f"{card['name']}@{card['version']}"
        del card["weights"]
        save_model(Path(store.user) / identifier, card, {"weight": np.zeros(1, dtype=np.float32)})
        return identifier

    def _wait(self, condition: Any) -> None:
        self._session.wait_until(condition, 120, "the panel")


class ScriptedProcess:
    """Stands in for the process of a fine-tuning; says what it is given to say."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.alive, self.waiting = folder, True, []

    def running(self) -> bool:
        """Until it is set to have ended."""
        return self.alive

    def events(self) -> list[dict[str, Any]]:
        """What has not been taken yet."""
        taken, self.waiting = self.waiting, []
        return taken

    def ask_to_stop(self) -> None:
        """The process ends at once."""
        self.alive = False

    def end(self) -> None:
        """The process ends at once."""
        self.alive = False

    def last_words(self) -> str:
        """Nothing went wrong."""
        return ""


def training_events(model: str) -> Iterator[dict[str, Any]]:
    """A training that is two thirds through."""
    yield {"event": "start", "model": model, "device": "cpu", "cases": 2, "parts": 2, "steps": STEPS,
           "labels": ["Anterior hippocampus", "Posterior hippocampus"], "resumed": False}  # fmt: skip
    yield {"event": "baseline", "held_out": {**table("better"), "after": 0.938}}
    random = np.random.default_rng(0)
    for number in range(1, STEPS * 2 // 3):
        loss = 0.25 + 0.3 * np.exp(-number / 15) + 0.02 * float(random.normal())
        yield {"event": "step", "part": 1, "parts": 2, "step": number, "loss": float(loss)}
        if number % 10 == 0:
            dice = 0.938 + 0.012 * (1 - float(np.exp(-number / 15)))
            yield {"event": "dice", "part": 1, "step": number, "held_out": dice}


def table(word: str) -> dict[str, Any]:
    """Dice of two structures."""
    row = TABLES[word]
    return {**row, "labels": {"Anterior hippocampus": row, "Posterior hippocampus": row}}


def verdict(candidate: str, word: str) -> dict[str, Any]:
    """The last event of a job."""
    reasons = {
        "better": "Better on what was held out of the corrections: Dice 0.938 before, 0.950 after.",
        "worse": "Not better on what was held out of the corrections: Dice 0.938 before, 0.921 after.",
    }
    steps = {"better": [], "worse": ["1 scan is little to learn from: add scans on which the model goes wrong."]}
    return {
        "event": "verdict", "candidate": candidate, "held_out": table(word), "reference": table(word),
        "accepted": word == "better", "adopted": False, "reasons": [reasons[word]],
        "notes": ["Dice on the model's reference set: 0.912 before, 0.904 after."], "next_steps": steps[word],
    }  # fmt: skip
