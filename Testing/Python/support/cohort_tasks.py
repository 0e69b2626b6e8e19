"""Tasks of a cohort for tests, among them one that ends the process that takes it."""

from __future__ import annotations

import os
import platform
import signal
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from LightMedSegLib.cohorts.model_reference import ModelReference
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.io.scan_folders import Scan
from LightMedSegLib.model.package import load_model
from LightMedSegLib.storage.atomic_files import temporary_name

ON_CPU = SegmentOptions(device="cpu", threads=1)


def scan_task(name: str, image: Path, output: Path, package: Path, **changes: Any) -> ScanTask:
    """A task for one image with the model in the folder package, on one thread."""
    output.mkdir(exist_ok=True)
    model = ModelReference.of(load_model(package))
    settings = {"options": ON_CPU, "cpu_path": "float32", "chosen_on": platform.node(), **changes}
    return ScanTask(Scan(name, (image,)), output, model, **settings)


@dataclass(frozen=True)
class DeadlyTask(ScanTask):
    """A task that kills the processes that receive it, the first so many of them, half way through a file.

    deaths: a folder that counts them.
    """

    deaths: Path = Path()
    most: int = 0

    @classmethod
    def of(cls, task: ScanTask, deaths: Path, most: int) -> DeadlyTask:
        """The task, with this many deaths before it."""
        deaths.mkdir()
        return cls(**{one.name: getattr(task, one.name) for one in fields(task)}, deaths=deaths, most=most)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (type(self), {one.name: getattr(self, one.name) for one in fields(self)}, os.getpid())


def _received(kind: type[DeadlyTask], values: dict[str, Any], sender: int) -> DeadlyTask:
    deaths, count = values["deaths"], len(list(values["deaths"].iterdir()))
    if os.getpid() != sender and count < values["most"]:
        (deaths / str(count)).touch()
        (values["output"] / temporary_name(".nii.gz")).write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
    return kind(**values)
