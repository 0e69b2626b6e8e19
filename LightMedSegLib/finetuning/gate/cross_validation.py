"""Training by turns: what one part of the cases is held out of shows what the training on all of them is worth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightMedSegLib.core.errors import CancelledError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.evaluation.metrics import mean_without_nan
from LightMedSegLib.finetuning.gate.confusion import Confusion, confusion, dice_of
from LightMedSegLib.finetuning.gate.held_out import Part
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.job.work_folder import WorkFolder
from LightMedSegLib.finetuning.tuning.crops import crops_per_case, training_crops
from LightMedSegLib.finetuning.tuning.predictions import windows_of
from LightMedSegLib.finetuning.tuning.training_grid import coarsened
from LightMedSegLib.finetuning.tuning.tuner import Task, Tuner
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.learning.checkpoint import load_checkpoint, read_weights, save_checkpoint, write_weights
from LightMedSegLib.learning.prepared_case import PreparedCase

Report = Callable[[dict[str, Any]], None]
"""Takes one event of the job."""

Counts = dict[str, Confusion]
"""Confusion of each case by its identifier, over what was held out of it."""


_LIVE_TESTS = 5
"""Times that a part is tested while it is trained."""

_LIVE_WINDOWS = 4
"""Only where what is held out lies in no more than so many windows."""


@dataclass(frozen=True)
class Workshop:
    """What every part of a job needs.

    load gives a case by identifier, learnt the same as it is learnt from; view is the patch that is tested with.
    near_structures: cases are tested only there, because the segmentation too looks for their region first. Training
    sees the cases on voxels that are coarseness times as large.
    """

    task: Task
    coarseness: float
    view: Shape
    near_structures: bool
    settings: FinetuneSettings
    device: torch.device
    load: Callable[[str], PreparedCase]
    learnt: Callable[[str], PreparedCase]
    fresh_network: Callable[[], torch.nn.Module]
    rehearsal: tuple[PreparedCase, ...]
    work: WorkFolder
    report: Report
    cancel: CancelToken


def run_part(shop: Workshop, part: Part, number: int, total: int) -> Counts:
    """Train on one part, test on what it holds out, and keep both; done already is not done again.

    Raises CancelledError after a checkpoint.
    """
    name = f"part-{number + 1}"
    done = shop.work.read(name)
    if done is not None:
        return counts_from_json(done["held_out"])
    network = shop.fresh_network()
    tuner = Tuner(network, _crops(shop, part), shop.rehearsal, shop.task, shop.settings, shop.device)
    folder = shop.work.folder / name
    folder.mkdir(exist_ok=True)
    checkpoint = load_checkpoint(folder)
    if checkpoint is not None:
        tuner.restore(checkpoint)
    _train(shop, part, tuner, folder, number, total)
    weights = tuner.weights()
    network.load_state_dict(weights)
    held_out = test(shop, network, part)
    write_weights(part_weights(shop.work, number), weights)
    shop.work.write(name, {"held_out": counts_to_json(held_out)})
    return held_out


def test(shop: Workshop, network: torch.nn.Module, part: Part) -> Counts:
    """Confusion of every case of which the part holds out something."""
    counts = {}
    for piece in part.test:
        case = shop.load(piece.case_id)
        # Of the whole case: the network must see a half of it where a segmentation would show it.
        windows = windows_of(case, shop.view, shop.near_structures)
        counts[piece.case_id] = confusion(
            network, piece.of(case), shop.task.num_classes, shop.view, shop.device, shop.cancel, windows
        )
    return counts


def trained_weights(work: WorkFolder, number: int) -> dict[str, torch.Tensor]:
    """The weights that :func:`run_part` kept of the training number."""
    return read_weights(part_weights(work, number))


def part_weights(work: WorkFolder, number: int) -> Path:
    """Where the trained weights of a part are."""
    return work.folder / f"part-{number + 1}" / "tuned.safetensors"


def summed(one: Mapping[str, Confusion], other: Mapping[str, Confusion]) -> Counts:
    """Both counts together, case by case."""
    result = dict(one)
    for case_id, counts in other.items():
        result[case_id] = result[case_id] + counts if case_id in result else counts
    return result


def counts_to_json(counts: Mapping[str, Confusion]) -> dict[str, Any]:
    """For WorkFolder.write."""
    return {case_id: matrix.tolist() for case_id, matrix in counts.items()}


def counts_from_json(data: Mapping[str, Any]) -> Counts:
    """From WorkFolder.read."""
    return {case_id: np.array(matrix, dtype=np.int64) for case_id, matrix in data.items()}


def _crops(shop: Workshop, part: Part) -> list[PreparedCase]:
    crops: list[PreparedCase] = []
    for piece in part.train:
        case = coarsened(piece.of(shop.learnt(piece.case_id)), shop.coarseness)
        count = crops_per_case(len(part.train), shop.task.patch)
        crops += training_crops(case, shop.task.patch, count, shop.settings.seed)
    return crops


class _LiveDice:
    """Dice on what the part holds out while it is trained, where that is quick enough to wait for."""

    def __init__(self, shop: Workshop, part: Part) -> None:
        self._shop, self._part = shop, part
        self._every = max(1, shop.settings.steps // _LIVE_TESTS)
        windows = sum(len(windows_of(shop.load(piece.case_id), shop.view, shop.near_structures)) for piece in part.test)
        self._network = shop.fresh_network() if 0 < windows <= _LIVE_WINDOWS else None

    def event(self, tuner: Tuner) -> dict[str, Any] | None:
        """The figures after a step that is due."""
        if self._network is None or tuner.step % self._every or self._shop.cancel.cancelled:
            return None
        self._network.load_state_dict(tuner.weights())
        counts = test(self._shop, self._network, self._part)
        pooled = np.sum([*counts.values()], axis=0)
        values = [dice_of(pooled, value) for value in range(1, self._shop.task.num_classes)]
        mean = mean_without_nan(values)
        return None if math.isnan(mean) else {"event": "dice", "step": tuner.step, "held_out": round(mean, 4)}


def _train(shop: Workshop, part: Part, tuner: Tuner, folder: Path, number: int, total: int) -> None:
    saved, kept = time.monotonic(), tuner.step
    live = _LiveDice(shop, part)
    try:
        while not tuner.finished:
            shop.cancel.raise_if_cancelled()
            loss = tuner.advance()
            step = {"event": "step", "part": number + 1, "parts": total, "step": tuner.step, "loss": round(loss, 5)}
            shop.report(step)
            figures = live.event(tuner)
            if figures is not None:
                shop.report({**figures, "part": number + 1, "parts": total})
            if time.monotonic() - saved >= shop.settings.checkpoint_seconds:
                save_checkpoint(folder, tuner.checkpoint())
                saved, kept = time.monotonic(), tuner.step
    except CancelledError:
        # Between two steps, or while the weights of the last one were tested.
        save_checkpoint(folder, tuner.checkpoint())
        raise
    if kept != tuner.step:
        # The test that follows takes a while, and may be cancelled.
        save_checkpoint(folder, tuner.checkpoint())
