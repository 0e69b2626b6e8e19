"""How long a training step takes on this computer: a few real ones, on noise."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import torch

from LightMedSegLib.core.out_of_memory import is_out_of_memory
from LightMedSegLib.learning.configuration import TrainingConfiguration
from LightMedSegLib.learning.prepared_case import PreparedCase
from LightMedSegLib.training.configuration.reader import with_override
from LightMedSegLib.training.curves import CSV_FILE
from LightMedSegLib.training.networks import build_training_network
from LightMedSegLib.training.trainer import Trainer

_STEPS = {"cpu": 4, "cuda": 60}
_CASES = 2


def seconds_per_step(configuration: TrainingConfiguration, device: str) -> float | None:
    """Return the shortest time of a training step, augmentation included; None if the device has too little memory.

    The shortest, because other programs may have been busy: the time limit of the run ends it, however slow it is.
    Without compilation, from which a long run may gain a third.
    """
    place = torch.device(device)
    steps = _STEPS.get(place.type, _STEPS["cpu"])
    changes = {"optimizer.steps": steps, "optimizer.budget_seconds": 0, "run.log_interval": max(1, steps // 4)}
    quiet = {"run.compile": "false", "run.validation_interval": 10**9, "run.checkpoint_interval": 10**9}
    for key, value in {**changes, **quiet}.items():
        configuration = with_override(configuration, key, str(value))
    with tempfile.TemporaryDirectory() as folder:
        try:
            network = build_training_network(configuration)
            cases = _noise(configuration)
            Trainer(configuration, network, cases, [], Path(folder), place, report=_silent).train()
        except Exception as error:
            if is_out_of_memory(error):
                return None
            raise
        with (Path(folder) / CSV_FILE).open(newline="", encoding="utf-8") as stream:
            times = [float(row["milliseconds_per_step"]) for row in csv.DictReader(stream)]
    return min(times) / 1000.0


def _noise(configuration: TrainingConfiguration) -> list[PreparedCase]:
    random = np.random.default_rng(0)
    shape = configuration.patch
    cases = []
    for number in range(_CASES):
        image = random.normal(size=(configuration.in_channels, *shape)).astype(np.float16)
        labels = random.integers(0, configuration.num_classes, shape, dtype=np.uint8)
        cases.append(PreparedCase(f"noise {number}", image, labels))
    return cases


def _silent(message: str) -> None:
    """Report of a trial, which nobody reads."""
