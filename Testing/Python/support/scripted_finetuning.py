"""The fine-tune section with a stand-in without a network as its model, and a script of events as its process."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panel_bench import Bench

START = {"event": "start", "model": "self-test@1.0.0", "device": "cpu", "cases": 1, "parts": 2, "steps": 10,
         "labels": ["Bright", "Very bright"], "resumed": False}  # fmt: skip
TABLE = {"before": 0.8, "after": 0.9, "labels": {"Bright": {"before": 0.8, "after": 0.9}}}
BASELINE = {"event": "baseline", "held_out": {**TABLE, "after": 0.8}}
NOTHING = {"before": None, "after": None, "labels": {}}


def step(part: int, number: int) -> dict[str, Any]:
    return {"event": "step", "part": part, "parts": 2, "step": number, "loss": 1 / (10 * part + number)}


def verdict(**changes: Any) -> dict[str, Any]:
    words = {"accepted": True, "adopted": False, "reasons": [], "notes": ["A note."]}
    return {"event": "verdict", "candidate": "self-test@1.1.0-tuned.1", "held_out": TABLE, "reference": NOTHING,
            **words, **changes}  # fmt: skip


@dataclass
class ScriptedProcess:
    """A JobProcess whose events a test makes; nothing else of the protocol is answered."""

    folder: Path
    alive: bool = True
    waiting: list[dict[str, Any]] = field(default_factory=list)
    stop_requests: int = 0
    ended: bool = False

    def running(self) -> bool:
        return self.alive

    def events(self) -> list[dict[str, Any]]:
        taken, self.waiting = self.waiting, []
        return taken

    def ask_to_stop(self) -> None:
        self.stop_requests += 1

    def end(self) -> None:
        self.ended = True

    def last_words(self) -> str:
        return "Traceback: it broke"


@dataclass
class Finetune:
    """bench: the panel. process: the last one that was started."""

    bench: Bench
    started: list[ScriptedProcess] = field(default_factory=list)

    @property
    def ui(self) -> Any:
        return self.bench.ui

    @property
    def process(self) -> ScriptedProcess:
        return self.started[-1]

    @property
    def section(self) -> Any:
        return self.bench.panel.finetune

    def launch(self, folder: Path) -> ScriptedProcess:
        self.started.append(ScriptedProcess(folder))
        return self.process

    def result(self, **choices: int) -> Any:
        """A result; choices: index in the review table's selectors, by row number as r0, r1."""
        self.bench.choose_volume()
        node = self.bench.run()
        self.choose(**choices)
        return node

    def choose(self, **choices: int) -> None:
        for name, index in choices.items():
            self.ui.reviewTable.cellWidget(int(name[1:]), 1).currentIndex = index

    def add_case(self) -> Any:
        self.ui.addCaseButton.click()
        self.bench.session.wait_until(lambda: not self.bench.panel.addCase.adding, what="the case")
        entries = self.bench.panel.logic.cases.list()
        return entries[-1].record if entries else None

    def start(self) -> None:
        self.ui.finetuneButton.click()
        assert self.section.running, self.ui.finetuneLabel.text

    def see(self, *events: dict[str, Any], alive: bool = True) -> None:
        """Let the process say this, and the panel look at it."""
        self.process.waiting += events
        self.process.alive = alive
        self.bench.session.wait_until(
            lambda: not self.process.waiting and self.section.running == alive, what="the panel to look"
        )

    def install(self, version: str, accepted: bool = True, parent: str | None = None) -> str:
        """A fine-tuned version in the store."""
        report = {"accepted": accepted, "reasons": [] if accepted else ["It forgets."], "notes": [],
                  "held_out": TABLE, "reference": NOTHING}  # fmt: skip
        made_from = None
        if parent is not None:
            card = self.bench.panel.logic.store.find(parent).card
            made_from = {"name": card.name, "version": card.version, "weights_sha256": card.weights.sha256}
        training = {"data": "x", "cases": {"train": 2, "validation": 0, "test": 0}, "split_sha256": None,
                    "configuration": None}  # fmt: skip
        changes = {"metrics": {"fine_tuning": report}, "parent": made_from, "training": training}
        identifier = self.bench.add_model("self-test", version, **changes)
        self.bench.panel.versions.reload()
        self.bench.panel.update()
        return identifier
