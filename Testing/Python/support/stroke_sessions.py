"""Random sessions of a person who corrects by stroke, and a model of what has to hold after each action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from correct_bench import SIDE, CorrectBench
from segment_editor_replay import cube, raw_segments


@dataclass
class State:
    """Bytes of all segments, and what the user had marked in each."""

    raw: list[tuple[Any, ...]]
    marks: dict[str, np.ndarray]


class UndoModel:
    """All states in which Slicer may have saved one. It saves no state twice, and knows only the last ten."""

    def __init__(self) -> None:
        self._states: list[State] = []

    def save(self, state: State) -> None:
        self._states.append(state)

    def restart(self, marks: dict[str, np.ndarray]) -> None:
        """A new session knows only the present marks, and those only as long as the voxels are not taken back."""
        for state in self._states:
            for name, before in state.marks.items():
                now = marks.get(name, np.zeros_like(before))
                state.marks[name] = np.where(before == now, before, 0).astype(np.int8)

    def found(self, now: list[tuple[Any, ...]]) -> State | None:
        """The state that Undo or Redo went to, with the marks of all states of these bytes; None if there is none."""
        alike = [state.marks for state in self._states if state.raw == now]
        if not alike:
            return None
        marks = {}
        for name in set.intersection(*(set(one) for one in alike)):
            stack = np.stack([one[name] for one in alike])
            marks[name] = np.where((stack == stack[0]).all(axis=0), stack[0], 0).astype(np.int8)
        return State(now, marks)


class RandomSession:
    """run() makes random actions, and raises AssertionError when the network changed what the user marked, when an
    edit is lost, when Undo or Redo do not give the bytes of before, or when the session is not in step."""

    def __init__(self, bench: CorrectBench, seed: int) -> None:
        self.bench, self.seed = bench, seed
        self.random = np.random.default_rng(seed)
        self.done: list[str] = []
        self.marks: dict[str, np.ndarray] = {}
        self.undo = UndoModel()
        self.expected: list[tuple[Any, ...]] | None = None
        self.names = 0

    def run(self, actions: int = 14) -> None:
        self._open()
        for _ in range(actions):
            action = self.random.choice([name for name in dir(self) if name.startswith("do_")])
            if self.random.random() < 0.5:
                action = str(self.random.choice(["do_paint", "do_paint", "do_erase", "do_undo", "do_redo"]))
            self.done.append(action)
            getattr(self, action)()
            # The event loop runs between two actions of a person; a completion may still be under way.
            self.bench.session.process_events()
            if self.random.random() < 0.6:
                self._settle()
        self._settle()
        self.bench.session.close_scene()
        self.bench.session.process_events()

    # what a person does

    def do_paint(self) -> None:
        effect = str(self.random.choice(["Paint", "Draw"]))
        self._edit(lambda: self.replay.paint(self._blob(), effect))

    def do_erase(self) -> None:
        self._edit(lambda: self.replay.erase(self._blob()))

    def do_scissors(self) -> None:
        self._edit(lambda: self.replay.scissors(self._blob(8)))

    def do_smooth(self) -> None:
        selected = self.replay.editor.GetSelectedSegmentID()
        grown = self.replay.mask(selected) | (self._blob() > 0)
        self._edit(lambda: self.replay.smooth(grown))

    def do_islands(self) -> None:
        selected = self.replay.editor.GetSelectedSegmentID()
        mask = self.replay.mask(selected)
        mask[:, :, self.random.integers(4, SIDE) :] = False
        self._edit(lambda: self.replay.islands(mask))

    def do_undo(self) -> None:
        if self.replay.logic.CanUndo():
            # The first Undo saves what Redo comes back to.
            before = self._state()
            self.undo.save(before)
            self.replay.undo()
            self._went_somewhere("Undo", before)

    def do_redo(self) -> None:
        if self.replay.logic.CanRedo():
            before = self._state()
            self.replay.redo()
            self._went_somewhere("Redo", before)

    def do_add_segment(self) -> None:
        self.names += 1
        name = f"added {self.names}"
        self.undo.save(self._state())
        self.replay.add(name)
        self.expected = None

    def do_remove_segment(self) -> None:
        if self.replay.segmentation.GetSegmentation().GetNumberOfSegments() < 2:
            return
        self.undo.save(self._state())
        selected = self.replay.editor.GetSelectedSegmentID()
        self.replay.remove()
        self.marks.pop(selected, None)
        self.expected = None

    def do_rename(self) -> None:
        self._segment().SetName(f"Name {self.random.integers(100)}")

    def do_hide(self) -> None:
        display = self.replay.segmentation.GetDisplayNode()
        display.SetSegmentVisibility(self.replay.editor.GetSelectedSegmentID(), bool(self.random.integers(2)))

    def do_select(self) -> None:
        names = list(self.replay.segmentation.GetSegmentation().GetSegmentIDs())
        self.replay.select(str(self.random.choice(names)))
        self._visit()

    def do_overwrite_mode(self) -> None:
        self.replay.editor.SetOverwriteMode(int(self.random.integers(3)))

    def do_mask_mode(self) -> None:
        node = self.replay.segmentation
        modes = [node.EditAllowedEverywhere, node.EditAllowedOutsideAllSegments, node.EditAllowedInsideVisibleSegments]
        self.replay.editor.SetMaskMode(int(self.random.choice(modes)))

    def do_share_a_layer(self) -> None:
        if self.random.random() < 0.4:
            self.replay.segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
            # The same voxels, in other bytes.
            self.expected = None
            self.undo = UndoModel()
            self.replay.logic.ClearUndoState()

    def do_change_volume(self) -> None:
        self.undo.restart(self.marks)
        if self.random.random() < 0.5:
            import slicer

            array = slicer.util.arrayFromVolume(self.replay.volume)
            array += 1
            slicer.util.arrayFromVolumeModified(self.replay.volume)
        else:
            self.replay.volume = self.bench.add_scan(seed=int(self.random.integers(1000)))
            self.replay.editor.SetAndObserveSourceVolumeNode(self.replay.volume)

    def do_close_scene(self) -> None:
        if self.random.random() < 0.2:
            self.bench.session.close_scene()
            self.bench.session.process_events()
            self._open()

    # what has to hold

    def _open(self) -> None:
        self.replay = self.bench.switch_on()
        self.replay.logic.ClearUndoState()
        self.replay.editor.SetOverwriteMode(self.replay.editor.OverwriteAllSegments)
        self.replay.editor.SetMaskMode(self.replay.segmentation.EditAllowedEverywhere)
        self.marks, self.undo, self.expected = {}, UndoModel(), None
        self._visit()

    def _visit(self) -> None:
        selected = self.replay.editor.GetSelectedSegmentID()
        if selected and selected not in self.marks:
            self.marks[selected] = np.zeros((SIDE,) * 3, dtype=np.int8)

    def _edit(self, action: Any) -> None:
        """The user's own change of voxels: known exactly, because nothing is completed before the event loop runs."""
        self._visit()
        before, state = self._masks(), self._state()
        action()
        self.undo.save(state)
        for name, mask in self._masks().items():
            if name in self.marks:
                self.marks[name] = np.where(mask ^ before[name], np.where(mask, 1, -1), self.marks[name])
        self.expected = None

    def _went_somewhere(self, what: str, before: State) -> None:
        state = self.undo.found(raw_segments(self.replay.segmentation))
        assert state is not None, self._story(f"{what} did not give the bytes of any state before")
        self.marks = {name: marks.copy() for name, marks in state.marks.items()}
        # An Undo of an action that changed nothing leaves the completions before it under way.
        self.expected = None if state.raw == before.raw else state.raw
        names = [row[0] for row in state.raw]
        if self.replay.editor.GetSelectedSegmentID() not in names:
            self.replay.select(names[0])
        self._visit()

    def _settle(self) -> None:
        self.bench.settle()
        if self.expected is not None:
            found = raw_segments(self.replay.segmentation)
            assert found == self.expected, self._story("something was written after Undo or Redo")
        masks = self._masks()
        for name, marks in self.marks.items():
            if name in masks:
                lost = (marks == 1) & ~masks[name]
                found = (marks == -1) & masks[name]
                assert not lost.any(), self._story(f"{int(lost.sum())} painted voxels of '{name}' are lost")
                assert not found.any(), self._story(f"{int(found.sum())} erased voxels of '{name}' are back")
        assert self.bench.in_step(), self._story("the session is not in step with the segment")

    def _story(self, problem: str) -> str:
        return f"Session {self.seed}: {problem} after {self.done}"

    def _state(self) -> State:
        marks = {name: marks.copy() for name, marks in self.marks.items()}
        return State(raw_segments(self.replay.segmentation), marks)

    def _masks(self) -> dict[str, np.ndarray]:
        from LightMedSegLib.mrml.segmentations.reading import read_masks

        return read_masks(self.replay.segmentation, self.replay.volume)

    def _segment(self) -> Any:
        segmentation = self.replay.segmentation.GetSegmentation()
        return segmentation.GetSegment(self.replay.editor.GetSelectedSegmentID())

    def _blob(self, most: int = 5) -> np.ndarray:
        first = self.random.integers(0, SIDE - most, 3)
        x, y, z = ((int(a), int(a + b)) for a, b in zip(first, self.random.integers(1, most + 1, 3), strict=True))
        return cube((SIDE,) * 3, (x, y, z))
