"""How a computer's processors, memory and graphics cards are shared out to the jobs of a cohort."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from LightMedSegLib.cohorts.memory import largest_need
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.devices import list_devices, select_device
from LightMedSegLib.core.process import available_memory
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.model.card import ModelCard


@dataclass(frozen=True)
class Share:
    """What the jobs of a cohort get.

    devices: that of each job. threads: processor threads of each job. notes: sentences on what was decided otherwise
    than asked for.
    """

    devices: tuple[str, ...]
    threads: int
    notes: list[str] = field(default_factory=list)

    @property
    def jobs(self) -> int:
        """The number of jobs."""
        return len(self.devices)


def share_out(wanted: int | None, tasks: Sequence[ScanTask], card: ModelCard, options: SegmentOptions) -> Share:
    """Return what each job gets when so many are wanted; None: one, or one for each CUDA device.

    There are no more jobs than tasks, of which there is at least one. A graphics card takes one scan at a time, and
    jobs on processors are as many as memory holds. Raises DeviceError for a device that this computer does not have,
    DependencyError without PyTorch.
    """
    device = select_device(options.device)
    wanted = min(wanted, len(tasks)) if wanted is not None else None
    if device.kind == "cpu":
        jobs, notes = _bounded_by_memory(wanted or 1, tasks, card)
        return _share(["cpu"] * jobs, notes, options)
    several = device.kind == "cuda" and options.device.strip().lower() in ("auto", "cuda")
    devices = [one.name for one in list_devices() if one.kind == "cuda"] if several else [device.name]
    jobs = wanted or len(devices)
    notes = []
    if jobs > len(devices):
        notes = [
            f"The number of jobs was lowered from {jobs} to {len(devices)}: {', '.join(devices)} "
            f"{'takes' if len(devices) == 1 else 'take'} one scan at a time."
        ]
    return _share(devices[: min(jobs, len(tasks))], notes, options)


def _share(devices: Sequence[str], notes: list[str], options: SegmentOptions) -> Share:
    return Share(tuple(devices), options.threads or max(1, processors() // len(devices)), notes)


def processors() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _bounded_by_memory(jobs: int, tasks: Sequence[ScanTask], card: ModelCard) -> tuple[int, list[str]]:
    available = available_memory.available_bytes() if jobs > 1 else None
    need = largest_need(tasks, card) if available is not None else 0
    if available is None or need * jobs <= available:
        return jobs, []
    fitting = max(1, available // need)
    return fitting, [
        f"The number of jobs was lowered from {jobs} to {fitting}: the largest scan needs about {need / 1e9:.1f} GB of "
        f"memory, and {available / 1e9:.1f} GB are free."
    ]
