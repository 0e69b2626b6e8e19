"""Cross-validation of a fine-tuning: a training without each fold shows what the training on all cases is worth."""

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
from LightMedSegLib.finetuning.gate.confusion import Counts, confusion, dice_of
from LightMedSegLib.finetuning.gate.held_out import Fold
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
"""A callback that takes one event of the job."""


_LIVE_TESTS = 5
"""Number of evaluations while a fold is trained."""

_LIVE_WINDOWS = 4
"""Most windows of held-out voxels with which a fold is evaluated while it is trained."""


@dataclass(frozen=True)
class FoldContext:
    """The data and settings that all folds of a job share.

    load returns a case by identifier, learnt the same case as training uses it. window: size (z, y, x) of the windows
    in the evaluation. near_structures: evaluate only near the structures, because segmentation also searches for their
    region first. coarseness: voxel size in training as a multiple of the model's. first: the model is a draft.
    """

    task: Task
    coarseness: float
    window: Shape
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
    first: bool = False


def run_fold(context: FoldContext, fold: Fold, number: int, total: int) -> Counts:
    """Train one fold, evaluate it on its held-out cases and store both; a finished fold is read from the disk.

    Raises CancelledError after a checkpoint.
    """
    name = f"part-{number + 1}"
    done = context.work.read(name)
    if done is not None:
        return counts_from_json(done["held_out"])
    network = context.fresh_network()
    tuner = Tuner(network, _crops(context, fold), context.rehearsal, context.task, context.settings, context.device)
    folder = context.work.folder / name
    folder.mkdir(exist_ok=True)
    checkpoint = load_checkpoint(folder)
    if checkpoint is not None:
        tuner.restore(checkpoint)
    _train(context, fold, tuner, folder, number, total)
    weights = tuner.weights()
    network.load_state_dict(weights)
    held_out = evaluate(context, network, fold)
    write_weights(fold_weights(context.work, number), weights)
    context.work.write(name, {"held_out": counts_to_json(held_out)})
    return held_out


def evaluate(context: FoldContext, network: torch.nn.Module, fold: Fold) -> Counts:
    """Return the confusion matrix of every case that the fold holds out, in whole or in part."""
    counts = {}
    for fold_case in fold.test:
        case = context.load(fold_case.case_id)
        # The windows of the whole case: the network must see a half at the positions that a segmentation uses.
        windows = windows_of(case, context.window, context.near_structures)
        counts[fold_case.case_id] = confusion(
            network,
            fold_case.of(case),
            context.task.num_classes,
            context.window,
            context.device,
            context.cancel,
            windows,
        )
    return counts


def trained_weights(work: WorkFolder, number: int) -> dict[str, torch.Tensor]:
    """Return the weights that :func:`run_fold` stored for the fold with this number."""
    return read_weights(fold_weights(work, number))


def fold_weights(work: WorkFolder, number: int) -> Path:
    """Return the path of the trained weights of a fold."""
    return work.folder / f"part-{number + 1}" / "tuned.safetensors"


def summed(one: Counts, other: Counts) -> Counts:
    """Return the sum of both counts, case by case."""
    result = dict(one)
    for case_id, counts in other.items():
        result[case_id] = result[case_id] + counts if case_id in result else counts
    return result


def counts_to_json(counts: Counts) -> dict[str, Any]:
    """Return the counts as JSON types for WorkFolder.write."""
    return {case_id: matrix.tolist() for case_id, matrix in counts.items()}


def counts_from_json(data: Mapping[str, Any]) -> Counts:
    """Return the counts that WorkFolder.read gives."""
    return {case_id: np.array(matrix, dtype=np.int64) for case_id, matrix in data.items()}


def _crops(context: FoldContext, fold: Fold) -> list[PreparedCase]:
    crops: list[PreparedCase] = []
    for fold_case in fold.train:
        case = coarsened(fold_case.of(context.learnt(fold_case.case_id)), context.coarseness)
        count = crops_per_case(len(fold.train), context.task.patch)
        crops += training_crops(case, context.task.patch, count, context.settings.seed, context.first)
    return crops


class _LiveDice:
    """Held-out Dice of a fold during its training, where the evaluation is quick enough."""

    def __init__(self, context: FoldContext, fold: Fold) -> None:
        self._context, self._fold = context, fold
        self._every = max(1, context.settings.steps // _LIVE_TESTS)
        windows = sum(
            len(windows_of(context.load(fold_case.case_id), context.window, context.near_structures))
            for fold_case in fold.test
        )
        self._network = context.fresh_network() if 0 < windows <= _LIVE_WINDOWS else None

    def event(self, tuner: Tuner) -> dict[str, Any] | None:
        """Return the Dice event where an evaluation is due after this step, else None."""
        if self._network is None or tuner.step % self._every or self._context.cancel.cancelled:
            return None
        self._network.load_state_dict(tuner.weights())
        counts = evaluate(self._context, self._network, self._fold)
        pooled = np.sum([*counts.values()], axis=0)
        values = [dice_of(pooled, value) for value in range(1, self._context.task.num_classes)]
        mean = mean_without_nan(values)
        return None if math.isnan(mean) else {"event": "dice", "step": tuner.step, "held_out": round(mean, 4)}


def _train(context: FoldContext, fold: Fold, tuner: Tuner, folder: Path, number: int, total: int) -> None:
    saved, kept = time.monotonic(), tuner.step
    live = _LiveDice(context, fold)
    try:
        while not tuner.finished:
            context.cancel.raise_if_cancelled()
            loss = tuner.advance()
            step = {"event": "step", "part": number + 1, "parts": total, "step": tuner.step, "loss": round(loss, 5)}
            context.report(step)
            dice = live.event(tuner)
            if dice is not None:
                context.report({**dice, "part": number + 1, "parts": total})
            if time.monotonic() - saved >= context.settings.checkpoint_seconds:
                save_checkpoint(folder, tuner.checkpoint())
                saved, kept = time.monotonic(), tuner.step
    except CancelledError:
        # Cancelled between two steps, or while the weights of the last one were evaluated.
        save_checkpoint(folder, tuner.checkpoint())
        raise
    if kept != tuner.step:
        # The evaluation that follows takes a while and can be cancelled.
        save_checkpoint(folder, tuner.checkpoint())
