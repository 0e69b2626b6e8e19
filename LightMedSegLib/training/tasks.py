"""What a run learns from and how it is judged: labels of stored or synthetic images, or objects shown by prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import nn

from LightMedSegLib.learning.batch_source import BatchSource
from LightMedSegLib.learning.case_stack import stack_cases
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.losses import SegmentationLoss
from LightMedSegLib.learning.model_input import window_rule
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.prompting.loss import PromptingLoss
from LightMedSegLib.training.prompting.source import PromptedObjects
from LightMedSegLib.training.prompting.validation import PromptedValidator
from LightMedSegLib.training.synthesis.images import batch_source
from LightMedSegLib.training.validation import DiceTable, GridValidator


class Validator(Protocol):
    """Scores a network on the validation cases."""

    def score(self, network: nn.Module) -> DiceTable:
        """Return the scores; the network must be in evaluation mode."""


def training_batches(
    cases: Sequence[PreparedCase], configuration: TrainingConfiguration, device: torch.device, rank: int
) -> tuple[BatchSource, bool]:
    """Return the source of the run's batches, and whether every structure was marked in every case."""
    if configuration.prompting.active:
        return PromptedObjects(cases, configuration, device, rank), True
    stack = stack_cases(cases, configuration.num_classes, device, configuration.run.seed)
    return batch_source(stack, configuration, rank), stack.all_labelled


def training_loss(configuration: TrainingConfiguration, partially_labelled: bool) -> nn.Module:
    """Return the loss of the run."""
    loss = SegmentationLoss(configuration.loss, configuration.num_classes, partially_labelled)
    if configuration.prompting.active:
        return PromptingLoss(loss, configuration.prompting.keep_weight)
    return loss


def training_validator(
    cases: Sequence[PreparedCase],
    configuration: TrainingConfiguration,
    network: nn.Module,
    device: torch.device,
    report: Callable[[str], None],
) -> Validator:
    """Return what scores the network on the validation cases."""
    if configuration.prompting.active:
        return PromptedValidator(cases, configuration, device, report)
    rule = window_rule(configuration, network)
    return GridValidator(cases, rule, device, configuration.optimizer.batch, configuration.test_time_mirroring)
