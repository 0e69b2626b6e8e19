"""One training run from a parent's weights on the crops of some cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from LightMedSegLib.core.errors import TrainingDataError
from LightMedSegLib.finetuning.job.settings import FinetuneSettings
from LightMedSegLib.finetuning.tuning.forgetting import ParentPull, parameter_groups, rehearses
from LightMedSegLib.finetuning.tuning.new_class_start import DRAWS, start_new_classes
from LightMedSegLib.inference.sliding_window.windows import Shape
from LightMedSegLib.learning.augmentation.intensity import IntensityAugmentation
from LightMedSegLib.learning.augmentation.spatial import Batch, SpatialSampler
from LightMedSegLib.learning.averaging import WeightAverage
from LightMedSegLib.learning.case_stack import CaseOrder, stack_cases
from LightMedSegLib.learning.checkpoint import Checkpoint, optimizer_tensors, restore_optimizer
from LightMedSegLib.learning.configuration import AXES, AugmentationSection, Axis, LossSection, OptimizerSection
from LightMedSegLib.learning.losses import SegmentationLoss
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.learning.schedule import learning_rate
from LightMedSegLib.network.memory_format import fastest_format

AUGMENTATION = AugmentationSection(
    rotation_degrees=15.0,
    scaling=(0.85, 1.18),
    foreground_probability=0.8,
    gamma_probability=0.2,
    contrast_probability=0.2,
    brightness_probability=0.2,
    noise_probability=0.2,
    low_resolution_probability=0.1,
    blur_probability=0.1,
)
"""Weaker than in training from scratch: the network must learn this site's look, not be hardened against it."""


@dataclass(frozen=True)
class Task:
    """What the network reads: patch (z, y, x), spacing (z, y, x) in mm, and classes with the background.

    new_classes: how many of the classes, the last ones, the parent does not have. turned: axes about which patches are
    turned.
    """

    patch: Shape
    spacing: tuple[float, float, float]
    num_classes: int
    new_classes: int = 0
    turned: tuple[Axis, ...] = AXES


class Tuner:
    """A run that can be stopped after any step and taken up again with the same result.

    network is trained in place. cases and rehearsal are crops as :func:`crops.training_crops` makes them; without
    rehearsal crops all patches come from the cases.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        cases: Sequence[PreparedCase],
        rehearsal: Sequence[PreparedCase],
        task: Task,
        settings: FinetuneSettings,
        device: torch.device,
    ) -> None:
        if not cases:
            raise TrainingDataError("No reviewed voxel is left to learn from; add a case with a reviewed region.")
        self._settings, self._device = settings, device
        self._network = network.to(device).to(memory_format=fastest_format(device)).train()  # type: ignore[call-overload]
        stack = stack_cases([*cases, *rehearsal], task.num_classes, device, settings.seed)
        turned = replace(AUGMENTATION, rotation_axes=task.turned)
        self._sampler = SpatialSampler(stack, task.patch, task.spacing, task.num_classes, turned)
        self._intensity = IntensityAugmentation(AUGMENTATION, task.patch, task.spacing, device)
        self._share = settings.rehearsal if rehearsal else 0.0
        self._counts = (len(cases), len(rehearsal))
        self._orders = [CaseOrder(max(1, count), 1, settings.seed) for count in self._counts]
        if task.new_classes:
            self._start_new_classes(network, task.num_classes - task.new_classes)
        self._loss = SegmentationLoss(LossSection(), task.num_classes, not stack.all_labelled).to(device)
        self._parameters = dict(network.named_parameters())
        groups = parameter_groups(network, settings.encoder_factor, task.new_classes > 0)
        self._optimizer = torch.optim.AdamW(groups, lr=0.0, weight_decay=0.0)
        self._pull = ParentPull(network, settings.pull, task.num_classes - task.new_classes)
        self._average = WeightAverage(network, settings.averaging)
        self._schedule = OptimizerSection(
            learning_rate=settings.learning_rate, warmup_steps=settings.warmup_steps, steps=settings.steps
        )
        self.step = 0

    @property
    def finished(self) -> bool:
        """True once all steps are done."""
        return self.step >= self._settings.steps

    def advance(self) -> float:
        """One step; returns its loss. Raises TrainingDataError when the run diverges."""
        rate = learning_rate(self._schedule, self.step, self.step / self._settings.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        images, labels, labelled = self._batch()
        loss = self._loss(self._network(images), labels, labelled)
        value = float(loss.item())
        if not math.isfinite(value):
            raise TrainingDataError("The fine-tuning diverged; use a lower learning rate, or look at the corrections.")
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        self._pull.apply(rate)
        self._average.update(self.step)
        self.step += 1
        return value

    def weights(self) -> dict[str, torch.Tensor]:
        """Copies of the averaged weights, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._average.tensors.items()}

    def checkpoint(self) -> Checkpoint:
        """All that :meth:`restore` needs."""
        tensors: dict[str, dict[str, Any]] = {
            "network": dict(self._network.state_dict()),
            "average": self._average.tensors,
            "optimizer": optimizer_tensors(self._optimizer, self._parameters),
        }
        return Checkpoint(tensors, {"step": self.step})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on where checkpoint was made."""
        self._network.load_state_dict(checkpoint.tensors["network"])
        self._average.load(checkpoint.tensors["average"])
        trained = {name: value for name, value in self._parameters.items() if value.requires_grad}
        restore_optimizer(self._optimizer, trained, checkpoint.tensors.get("optimizer", {}))
        self.step = int(checkpoint.state["step"])

    def _start_new_classes(self, network: torch.nn.Module, known: int) -> None:
        def draw(number: int) -> Batch:
            generator = torch.Generator(device=self._device).manual_seed(self._settings.seed * 999_983 + number)
            # Spread over all crops, because neighbours are of the same case.
            cases = torch.tensor([number * self._counts[0] // DRAWS], device=self._device)
            drawn = self._sampler.augmented(cases, generator)
            return replace(drawn, images=drawn.images.contiguous(memory_format=fastest_format(self._device)))

        start_new_classes(network, draw, known, self._settings.seed)

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        batch = self._settings.batch
        numbers = [self._crop_of(place) for place in range(self.step * batch, (self.step + 1) * batch)]
        # Seeded by the step: a resumed run sees what an uninterrupted one would have seen.
        generator = torch.Generator(device=self._device).manual_seed(self._settings.seed * 1_000_003 + self.step)
        drawn = self._sampler.augmented(torch.tensor(numbers, device=self._device), generator)
        images = self._intensity(drawn.images, generator).contiguous(memory_format=fastest_format(self._device))
        return images, drawn.labels, drawn.labelled

    def _crop_of(self, place: int) -> int:
        """The number in the stack of the crop that patch number place is cut from."""
        rehearsed = int(place * self._share)
        if rehearses(place, self._share):
            return self._counts[0] + self._orders[1].indices(rehearsed)[0]
        return self._orders[0].indices(place - rehearsed)[0]
