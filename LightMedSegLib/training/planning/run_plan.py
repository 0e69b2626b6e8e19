"""The plan of a run: its configuration file with the reason for each choice, and its split."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from LightMedSegLib.core.errors import DeviceError
from LightMedSegLib.learning.configuration import RunSection, TrainingConfiguration
from LightMedSegLib.learning.model_input import input_spec
from LightMedSegLib.learning.own_models import LONGEST_NAME, model_name
from LightMedSegLib.training.configuration.reader import configuration_of
from LightMedSegLib.training.planning.augmentation_plan import plan_augmentation
from LightMedSegLib.training.planning.dataset import Dataset
from LightMedSegLib.training.planning.input_plan import (
    CT,
    Limits,
    clean_up,
    modality_of,
    plan_input,
    plan_normalization,
)
from LightMedSegLib.training.planning.memory import batch_size, memory_limits
from LightMedSegLib.training.planning.patients import patients_of, split_by_patient
from LightMedSegLib.training.planning.reasons import reason_of_split, reasons_of_input, reasons_of_schedule
from LightMedSegLib.training.planning.schedule import FEW_STEPS, plan_schedule, windows_of
from LightMedSegLib.training.planning.trial import seconds_per_step
from LightMedSegLib.training.split import Split

SPLIT_FILE = "split.json"

Trial = Callable[[TrainingConfiguration, str], float | None]
"""Gives the seconds of a training step on a device, None if its memory is too small."""


@dataclass(frozen=True)
class RunPlan:
    """content: the sections of the configuration file. reasons: comments, by items such as "input.patch".

    expected_steps: as of a Schedule.
    """

    content: dict[str, Any]
    reasons: dict[str, str]
    split: Split
    step_seconds: float
    expected_steps: int

    @property
    def few_steps(self) -> bool:
        """Whether the time is hardly enough for a useful model."""
        return self.expected_steps < FEW_STEPS


def plan_run(dataset: Dataset, minutes: float, device: str, trial: Trial = seconds_per_step) -> RunPlan:
    """Return the plan for a dataset and so many minutes of training on a device ("cpu", "cuda:0").

    Raises DeviceError if even the smallest plan does not fit into the memory of the device.
    """
    patients = patients_of(dataset.cases)
    seed = RunSection().seed
    split = split_by_patient(patients, seed)
    limits = memory_limits(device, len(dataset.channels))
    while True:
        content = _content(dataset, limits)
        patch = content["input"]["patch"]
        batch = batch_size(math.prod(patch), limits, device)
        step = None
        while step is None and batch:
            # Steps, intervals and averaging follow from the time of a step.
            step = trial(configuration_of({**content, "optimizer": {"batch": batch}}), device)
            batch = batch if step is not None else batch // 2
        if step is not None:
            break
        limits = replace(limits, patch=limits.patch // 2)
        if math.prod(patch) <= limits.patch:
            raise DeviceError(f"The memory of {device} is too small for training; choose another device.")
    windows = _windows(dataset, content["input"]) * len(split.validation)
    schedule = plan_schedule(minutes, step, batch, windows)
    content |= {"optimizer": schedule.optimizer, "averaging": schedule.averaging, "run": {"seed": seed, **schedule.run}}
    input_spec(configuration_of(content))
    reasons = {
        **reasons_of_input(dataset, content, limits),
        **reasons_of_schedule(schedule, step, minutes, device),
        "data.split": reason_of_split(split, patients),
    }
    return RunPlan(content, reasons, split, step, schedule.expected_steps)


def _content(dataset: Dataset, limits: Limits) -> dict[str, Any]:
    """Return the sections that do not depend on time."""
    scans = dataset.facts[0]
    every = [facts for channel in dataset.facts for facts in channel]
    names = [label.name for label in dataset.labels]
    title = " ".join(dataset.place.resolve().name.split(".")[0].replace("_", " ").split())[:LONGEST_NAME]
    planned = plan_input(scans, limits)
    planned["channels"] = [_channel(dataset, number) for number in range(len(dataset.channels))]
    sides = np.multiply(planned["patch"][::-1], planned["spacing_mm"])
    ct = all(channel["normalization"]["kind"] == "window" for channel in planned["channels"])
    return {
        "labels": [label.to_json() for label in dataset.labels],
        "postprocessing": clean_up(scans, len(names)),
        "card": {
            "name": model_name(title),
            "version": "1.0.0",
            "title": title,
            "description": f"{', '.join(names)}."[:10_000],
            "modality": modality_of(every),
            "body_region": "As in the training data",
            "intended_use": "Scans like those that it was trained on; a person checks every result.",
            "limits": "Tested only on the held-out part of its data. Other scanners, protocols and diseases were not "
            "tested.",
        },
        "input": planned,
        "licenses": {"code": "Apache-2.0", "weights": "Not stated", "data": "Not stated"},
        "data": {
            "layout": dataset.layout,
            "folder": str(dataset.place.resolve()),
            "split": SPLIT_FILE,
            "description": f"{len(dataset.cases)} cases of {title}",
        },
        "augmentation": plan_augmentation(names, sides.tolist(), ct),
    }


def _channel(dataset: Dataset, number: int) -> dict[str, Any]:
    name, scans = dataset.channels[number], dataset.facts[number]
    if name.upper() == CT:
        scans = tuple(replace(scan, modality=CT) for scan in scans)
    return {"name": " ".join(name.split()) or modality_of(scans), "normalization": plan_normalization(scans)}


def _windows(dataset: Dataset, planned: dict[str, Any]) -> float:
    """Return the windows of an average case."""
    arguments = planned["spacing_mm"], planned["patch"], planned["overlap"]
    return float(np.mean([windows_of(scan.size, *arguments) for scan in dataset.facts[0]]))
