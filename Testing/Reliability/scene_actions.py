"""Random sequences of what a user does with the panel and the scene; after each step everything must hold together.

Hypothesis draws the sequences and shortens one that fails. The network is a stand-in whose end the test decides, as is
the process of a fine-tuning; panel, scene, store and cases are the real ones.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

ROW, COUNT = "scene_actions", 300

STEPS = 40
"""Actions in a sequence."""

_place: Path | None = None
_actions: Counter[str] = Counter()


def check(count: int, seed: int) -> Tally:
    """count sequences."""
    import hypothesis
    import torch

    global _place
    # Threads that wait for each other on a busy computer make seconds of milliseconds.
    torch.set_num_threads(1)
    tally = Tally()
    _actions.clear()
    with own_folder() as folder:
        _place = folder
        machine = hypothesis.seed(seed)(SceneMachine)
        chosen = settings(
            max_examples=count, stateful_step_count=STEPS, deadline=None, database=None, print_blob=False,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        try:
            run_state_machine_as_test(machine, settings=chosen)
        except Exception as error:
            notes = "\n".join(getattr(error, "__notes__", []))
            tally.failures.append(f"{type(error).__name__}: {error}\n{notes}")
    tally.tried = sum(_actions.values())
    tally.outcomes.update(_actions)
    return tally


class SceneMachine(RuleBasedStateMachine):
    """One Slicer session with the panel open."""

    @initialize()
    def begin(self) -> None:
        from Reliability.scene_bench import SceneBench

        assert _place is not None
        home = _place / "session"
        shutil.rmtree(home, ignore_errors=True)
        self.bench = SceneBench(home, _place / "slicer-home")
        self.bench.load_volume()

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.close()

    @precondition(lambda self: len(self.bench.volumes()) < 3)
    @rule()
    def load_a_volume(self) -> None:
        self.bench.load_volume()
        _actions["load"] += 1

    @precondition(lambda self: self.bench.volumes())
    @rule(data=st.data())
    def choose_a_volume(self, data: Any) -> None:
        self.bench.parameters.inputVolume = data.draw(st.sampled_from(self.bench.volumes()))
        _actions["choose a volume"] += 1

    @precondition(lambda self: self.bench.results() or self.bench.panel.run.running)
    @rule(data=st.data())
    def choose_a_model(self, data: Any) -> None:
        self.bench.parameters.model = data.draw(st.sampled_from(self.bench.models()))
        _actions["choose a model"] += 1

    @rule(held=st.booleans())
    def click_segment(self, held: bool) -> None:
        self.bench.click_segment(held)
        _actions["segment or cancel"] += 1

    @precondition(lambda self: self.bench.ui.segmentButton.enabled and not self.bench.panel.run.running)
    @rule()
    def segment_and_wait(self) -> None:
        self.bench.click_segment(False)
        self.bench.finish()
        _actions["segment and wait"] += 1

    @precondition(lambda self: self.bench.panel.run.running)
    @rule()
    def wait_for_the_end(self) -> None:
        self.bench.finish()
        _actions["wait for the end"] += 1

    @precondition(lambda self: self.bench.panel.run.running)
    @rule()
    def cancel(self) -> None:
        self.bench.panel.run.cancel()
        _actions["cancel"] += 1

    @precondition(lambda self: self.bench.results())
    @rule(data=st.data(), kind=st.sampled_from(("paint", "rename", "remove", "add")))
    def edit_a_result(self, data: Any, kind: str) -> None:
        self.bench.edit(data.draw(st.sampled_from(self.bench.results())), kind)
        _actions["edit"] += 1

    @precondition(lambda self: self.bench.undoable())
    @rule()
    def undo_the_last_edit(self) -> None:
        self.bench.undo()
        _actions["undo"] += 1

    @precondition(lambda self: self.bench.volumes())
    @rule(data=st.data())
    def change_the_voxels_of_a_volume(self, data: Any) -> None:
        self.bench.change_volume(data.draw(st.sampled_from(self.bench.volumes())))
        _actions["change a volume"] += 1

    @precondition(lambda self: self.bench.volumes())
    @rule(data=st.data())
    def move_a_volume_by_a_transform(self, data: Any) -> None:
        self.bench.move(data.draw(st.sampled_from(self.bench.volumes())))
        _actions["move a volume"] += 1

    @precondition(lambda self: self.bench.nodes())
    @rule(data=st.data())
    def delete_a_node(self, data: Any) -> None:
        self.bench.delete(data.draw(st.sampled_from(self.bench.nodes())))
        _actions["delete a node"] += 1

    @precondition(lambda self: self.bench.results() or self.bench.panel.run.running)
    @rule()
    def close_the_scene(self) -> None:
        self.bench.close_scene()
        _actions["close the scene"] += 1

    @precondition(lambda self: self.bench.results() and not self.bench.panel.run.running)
    @rule()
    def save_and_load_the_scene(self) -> None:
        self.bench.save_and_load()
        _actions["save and load"] += 1

    @precondition(lambda self: self.bench.results() or self.bench.panel.run.running)
    @rule()
    def leave_and_enter_the_module(self) -> None:
        self.bench.session.leave_module()
        self.bench.session.open_module("LightMedSeg")
        _actions["leave and enter"] += 1

    @precondition(lambda self: self.bench.ui.addCaseButton.enabled and self.bench.cases_added < 4)
    @rule()
    def add_the_correction_as_a_case(self) -> None:
        self.bench.add_case()
        _actions["add a case"] += 1

    @precondition(lambda self: self.bench.ui.finetuneButton.enabled and not self.bench.panel.finetune.running)
    @rule()
    def start_the_fine_tuning(self) -> None:
        self.bench.ui.finetuneButton.click()
        assert self.bench.panel.finetune.running, self.bench.ui.finetuneLabel.text
        _actions["fine-tune"] += 1

    @precondition(lambda self: self.bench.panel.finetune.running)
    @rule(how=st.sampled_from(("accepted", "rejected", "cancelled", "failed", "broken")))
    def the_fine_tuning_ends(self, how: str) -> None:
        self.bench.end_finetuning(how)
        _actions["fine-tuning ends"] += 1

    @precondition(lambda self: self.bench.can_adopt())
    @rule()
    def adopt_the_new_version(self) -> None:
        self.bench.ui.adoptButton.click()
        _actions["adopt"] += 1

    @precondition(lambda self: self.bench.can_roll_back())
    @rule()
    def roll_back(self) -> None:
        self.bench.ui.rollBackButton.click()
        _actions["roll back"] += 1

    @invariant()
    def everything_holds_together(self) -> None:
        if hasattr(self, "bench"):
            self.bench.check()


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
