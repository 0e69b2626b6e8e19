"""The training loop: resumable, synchronised with the device only where it reports."""

from __future__ import annotations

import contextlib
import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.inference.sliding_window.aggregation import mirror_flips
from LightMedSegLib.learning.augmentation.spatial import Batch
from LightMedSegLib.learning.averaging import WeightAverage
from LightMedSegLib.learning.case_stack import CaseOrder
from LightMedSegLib.learning.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.optimizer import ClippedAdamW
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.learning.schedule import learning_rate, remaining_seconds, run_progress, spoken_duration
from LightMedSegLib.network.cuda.compilation import ROUNDED_LIKE_PLAIN
from LightMedSegLib.training.acceleration.cuda_graph import RecordedStep
from LightMedSegLib.training.acceleration.distributed import ProcessGroup
from LightMedSegLib.training.acceleration.prefetch import BatchesAhead
from LightMedSegLib.training.acceleration.step import accelerated_step, compile_in_private, record_batches
from LightMedSegLib.training.curves import Curves
from LightMedSegLib.training.distillation import distillation_loss, teacher_probabilities
from LightMedSegLib.training.networks import check_patch
from LightMedSegLib.training.stability.divergence_guard import DivergenceGuard, Recovery, most_changed
from LightMedSegLib.training.stability.loss_record import LossRecord
from LightMedSegLib.training.tasks import Validator, training_batches, training_loss, training_validator
from LightMedSegLib.training.validation import DiceTable

LOOK_STEPS = 25
"""Steps between two checks of the losses; each check waits for the device."""

LOG_SECONDS = 30.0
"""The longest time without a line, where a step does not take longer."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training run.

    weights: the selected averaged weights, float32 on the CPU; score: their validation Dice (None: not validated).
    finished is False if the time limit or a cancellation ended the run early; the checkpoint then resumes it.
    """

    weights: dict[str, torch.Tensor]
    step: int
    score: float | None
    per_label: tuple[float, ...]
    finished: bool


class Trainer:
    """One training run on one device, or one process of a distributed one."""

    def __init__(
        self,
        configuration: TrainingConfiguration,
        network: nn.Module,
        train_cases: Sequence[PreparedCase],
        validation_cases: Sequence[PreparedCase],
        output: Path,
        device: torch.device,
        teachers: Sequence[nn.Module] = (),
        group: ProcessGroup | None = None,
        report: Report = print,
    ) -> None:
        check_patch(network, configuration.patch)
        if group is None or group.is_first:
            output.mkdir(parents=True, exist_ok=True)
        self._configuration, self._output, self._device, self._report = configuration, output, device, report
        self._group = group = group or ProcessGroup()
        self._bf16 = configuration.run.precision == "bf16" and device.type == "cuda"
        self._layout = torch.channels_last_3d if configuration.run.channels_last else torch.contiguous_format
        self._network = _placed(network, device, self._layout).train()
        self._evaluated = copy.deepcopy(self._network).eval()
        self._teachers: list[Callable[[torch.Tensor], torch.Tensor]]
        self._teachers = [_placed(teacher, device, self._layout).eval() for teacher in teachers]
        run, optimizer = configuration.run, configuration.optimizer
        self._flips = mirror_flips(
            configuration.distillation.mirror_axes, configuration.augmentation.mirror_label_swaps
        )
        source, all_labelled = training_batches(train_cases, configuration, device, group.rank)
        self._source = source
        order = CaseOrder(len(train_cases), optimizer.batch, run.seed, group.rank, group.world_size)
        self._batch: Callable[[int], Batch] = lambda step: source.batch(step, order.indices(step))
        self._ahead = BatchesAhead(self._batch, device)
        loss = training_loss(configuration, not all_labelled).to(device)
        self._forward: Callable[[torch.Tensor], Any] = group.wrap(self._network, device)
        self._loss: Callable[..., torch.Tensor] = loss
        self._optimizer = ClippedAdamW(self._network, optimizer)
        self._average = WeightAverage(self._network, configuration.averaging.decay)
        self._validator = None
        if validation_cases and group.is_first:
            self._validator = training_validator(validation_cases, configuration, network, device, report)
        self._step, self._seconds, self._validated_step = 0, 0.0, -1
        self._losses = LossRecord(LOOK_STEPS, device, group)
        self._best: dict[str, torch.Tensor] = {}
        self._best_score: float | None = None
        self._best_per_label: tuple[float, ...] = ()
        names = [str(label["name"]) for label in configuration.labels]
        checkpoint = load_checkpoint(output)
        self._restore(checkpoint)
        self._guard = DivergenceGuard(run.recoveries, self._step, self._average.tensors)
        if checkpoint is not None:
            self._guard.restore(checkpoint.state.get("guard", {}), checkpoint.tensors.get("good", {}))
        self._curves = Curves(output, names, self._step)
        self._recorded: RecordedStep | None = None
        if run.cuda_graph and device.type == "cuda" and group.world_size == 1:
            record_batches(source, optimizer.batch, report)
            place = (self._step, self._seconds)
            self._recorded = accelerated_step(self._network, loss, configuration, device, *place, report)
        if run.compile is True:
            compile_in_private()
            self._teachers = [torch.compile(teacher, options=ROUNDED_LIKE_PLAIN) for teacher in self._teachers]
            if self._recorded is None:
                self._forward = torch.compile(self._forward, options=ROUNDED_LIKE_PLAIN)
                self._loss = torch.compile(loss, options=ROUNDED_LIKE_PLAIN)

    def train(self, deadline: float | None = None, cancel: CancelToken | None = None) -> TrainingResult:
        """Train until the schedule ends, time.perf_counter() passes deadline, or cancel is set; then save."""
        try:
            return self._train(deadline, cancel)
        finally:
            self._ahead.close()
            if self._group.is_first:
                self._curves.write()

    def _train(self, deadline: float | None, cancel: CancelToken | None) -> TrainingResult:
        run, settings = self._configuration.run, self._configuration.optimizer
        started = last_report = time.perf_counter()
        first, before = self._step, self._seconds
        losses: list[float] = []
        norms: list[float] = []
        stopped = False
        while not stopped and run_progress(settings, self._step, self._seconds) < 1:
            self._losses.add(*self._one_step())
            self._step += 1
            ends = self._step == settings.steps
            logs = ends or self._step % run.log_interval == 0 or self._is_silent_since(last_report)
            validates, saves = self._step % run.validation_interval == 0, self._step % run.checkpoint_interval == 0
            if logs or validates or saves or self._step % LOOK_STEPS == 0:
                latest = self._look()
                losses += latest[0]
                norms += latest[1]
            if logs:
                now = time.perf_counter()
                left = remaining_seconds(settings, self._step, self._seconds, (now - started) / (self._step - first))
                self._log(losses, norms, 1000 * (now - last_report) / len(losses), left)
                last_report = now
                losses.clear()
                norms.clear()
            if validates:
                paused = time.perf_counter()
                self._validate()
                last_report += time.perf_counter() - paused
            if saves:
                self._save()
            stopped = cancel is not None and cancel.cancelled
            self._seconds = before + time.perf_counter() - started
            if deadline is not None and time.perf_counter() > deadline:
                stopped = True
            if self._group.world_size > 1:
                self._seconds = self._group.agree(self._seconds, self._device)
                stopped = self._group.agree(float(stopped), self._device) > 0
        self._look()
        return self._finish(finished=not stopped)

    def _is_silent_since(self, last_report: float) -> bool:
        """Whether nothing was reported for long. Several processes report together, by their steps alone."""
        return self._group.world_size == 1 and time.perf_counter() - last_report > LOG_SECONDS

    def _one_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        ahead = self._configuration.run.prefetch and self._device.type == "cuda"
        loss = self._batch_loss(self._ahead.batch(self._step) if ahead else self._batch(self._step))
        self._optimizer.zero_grad()
        loss.backward()
        norm = self._optimizer.step(self._rate(self._step))
        self._average.update(self._step)
        return loss.detach(), norm

    def _rate(self, step: int) -> float:
        settings = self._configuration.optimizer
        scheduled = learning_rate(settings, step, run_progress(settings, step, self._seconds))
        return scheduled * self._guard.rate_factor(step)

    def _look(self) -> tuple[list[float], list[float]]:
        """Return the losses and norms since the last check, after a return to good weights if they diverge."""
        losses, norms = self._losses.take()
        recovery = self._guard.look(self._step, losses, self._average.tensors)
        if recovery is not None:
            self._recover(recovery)
        return losses, norms

    def _recover(self, recovery: Recovery) -> None:
        # All in place, because a CUDA graph reads these tensors at their addresses.
        good = self._guard.good_weights()
        changed = most_changed(self._network.state_dict(), good)
        self._network.load_state_dict(good)
        self._average.load(good)
        self._optimizer.reset()
        self._curves.add(recovery.step, returned_to_step=recovery.good)
        self._report(
            f"step {recovery.step:6d}  the training diverged (loss {recovery.loss:.4g}, {recovery.usual:.4g} before): "
            f"back to the averaged weights of step {recovery.good}, {self._guard.rate_percent:g} % of the learning rate"
        )
        self._report(f"             changed most: {changed}")

    def _batch_loss(self, batch: Batch) -> torch.Tensor:
        images = batch.images.contiguous(memory_format=self._layout)
        distillation = self._configuration.distillation
        if self._recorded is not None:
            loss, finest = self._recorded(images, batch.labels, batch.labelled)
        else:
            with self._autocast():
                logits = self._forward(images)
            loss = self._loss(logits, batch.labels, batch.labelled)
            finest = logits if isinstance(logits, torch.Tensor) else logits[0]
        self._source.observe(finest.detach())
        if self._teachers:
            with self._autocast():
                soft = teacher_probabilities(self._teachers, images, distillation.temperature, self._flips)
            extra = distillation_loss(finest, soft, batch.labels, distillation.temperature)
            loss = loss + distillation.weight * extra
        return loss

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        return torch.autocast("cuda", dtype=torch.bfloat16) if self._bf16 else contextlib.nullcontext()

    def _log(self, losses: list[float], norms: list[float], milliseconds: float, left: float) -> None:
        finite = [value for value in losses if math.isfinite(value)]
        loss, rate = statistics.fmean(finite) if finite else math.nan, self._rate(self._step - 1)
        numbers = {"seconds": self._seconds, "loss": loss, "learning_rate": rate}
        numbers |= {"gradient_norm": statistics.median(norms), "largest_gradient_norm": max(norms)}
        self._curves.add(self._step, **numbers, milliseconds_per_step=milliseconds)
        place = f"step {self._step:6d} of {self._expected_steps(left, milliseconds)}"
        pace = f"{milliseconds:.1f} ms/step, {spoken_duration(left)} left"
        self._report(f"{place}  loss {loss:.4f}  lr {rate:.2e}  {pace}")

    def _expected_steps(self, left: float, milliseconds: float) -> str:
        """The number of steps of the whole run in words, where the time budget ends it an estimate."""
        steps, expected = self._configuration.optimizer.steps, self._step + round(1000 * left / max(milliseconds, 1e-3))
        return f"about {expected}" if expected < steps else str(steps)

    def _validate(self) -> None:
        if self._validator is None:
            return
        self._validated_step = self._step
        table = self._evaluate(self._validator)
        self._curves.add_dice(self._step, table.mean, table.per_label)
        self._curves.write()
        parts = " / ".join(f"{value:.4f}" for value in table.per_label)
        self._report(f"step {self._step:6d}  validation Dice {table.mean:.4f}  ({parts})")
        if self._best_score is None or table.mean > self._best_score or self._configuration.averaging.select == "last":
            self._best_score, self._best_per_label = table.mean, table.per_label
            self._best = {name: value.clone() for name, value in self._average.tensors.items()}

    def _evaluate(self, validator: Validator) -> DiceTable:
        self._evaluated.load_state_dict(self._average.tensors)
        with self._autocast():
            return validator.score(self._evaluated)

    def _finish(self, finished: bool) -> TrainingResult:
        if self._validated_step != self._step:
            self._validate()
        self._save()
        if self._group.is_first:
            self._curves.draw()
        weights = self._best or self._average.tensors
        return TrainingResult(
            {name: value.detach().cpu().clone() for name, value in weights.items()},
            self._step,
            self._best_score,
            self._best_per_label,
            finished,
        )

    def _save(self) -> None:
        if not self._group.is_first:
            return
        tensors = {
            "network": dict(self._network.state_dict()),
            "average": self._average.tensors,
            "best": self._best,
            "good": self._guard.good_weights(),
            "optimizer": self._optimizer.tensors(),
        }
        state = {
            "step": self._step,
            "seconds": self._seconds,
            "validated_step": self._validated_step,
            "best_score": self._best_score,
            "best_per_label": self._best_per_label,
            "guard": self._guard.state(),
        }
        save_checkpoint(self._output, Checkpoint(tensors, state))
        self._curves.write()

    def _restore(self, checkpoint: Checkpoint | None) -> None:
        if checkpoint is None:
            return
        tensors, state = checkpoint.tensors, checkpoint.state
        try:
            self._network.load_state_dict(tensors["network"])
            self._average.load(tensors["average"])
            self._optimizer.restore(tensors.get("optimizer", {}))
        except (RuntimeError, KeyError, ValueError) as error:
            raise TrainingDataError(
                f"The checkpoint in {self._output} belongs to another network; choose another output folder."
            ) from error
        self._best = {name: value.to(self._device) for name, value in tensors.get("best", {}).items()}
        self._step, self._seconds = int(state["step"]), float(state["seconds"])
        self._validated_step = int(state["validated_step"])
        self._best_score, self._best_per_label = state["best_score"], tuple(state["best_per_label"])
        self._report(f"Resumed at step {self._step}.")


def _placed(network: nn.Module, device: torch.device, layout: torch.memory_format) -> nn.Module:
    return network.to(device).to(memory_format=layout)  # type: ignore[call-overload]
