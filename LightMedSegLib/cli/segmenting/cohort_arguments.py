"""The arguments of commands that segment many scans: how many at once, where, and the log."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from LightMedSegLib.cli.parser import file_path, named, positive_int
from LightMedSegLib.cohorts.executors import Executor
from LightMedSegLib.cohorts.executors.in_process import InProcess
from LightMedSegLib.cohorts.executors.starting import begin_loading, computed_elsewhere
from LightMedSegLib.cohorts.sharing import Share, share_out
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.errors import InputImageError
from LightMedSegLib.inference.options import SegmentOptions
from LightMedSegLib.io.labelmaps.choosing import check_known_labels
from LightMedSegLib.model.card import ModelCard
from LightMedSegLib.model.located_card import located_card

LABELS_WRITTEN = "write only these labels, by name or value (default: all; models show lists them)"
"""Help of --labels."""

_ARGUMENTS = {"jobs": "--jobs", "dask": "--dask", "log_file": "--log-file"}


def add_cohort_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --jobs, --dask and --log-file."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs",
        type=positive_int,
        metavar="N",
        help="of a folder: segment so many scans at once, in processes (default 1, or one for each CUDA device)",
    )
    where.add_argument(
        "--dask",
        type=named,
        metavar="ADDRESS",
        help="of a folder: segment on the workers of this Dask scheduler, tcp://HOST:PORT or its scheduler file",
    )
    parser.add_argument(
        "--log-file",
        type=file_path,
        metavar="FILE",
        help="of a folder: append a line for each scan, and one on the progress every 30 seconds",
    )


def check_labels(arguments: argparse.Namespace, card: ModelCard) -> None:
    """Raise InputImageError, with the nearest names, if --labels names what no result of the model has."""
    check_known_labels(card.identifier, located_card(card).labels, card.labels, arguments.labels)


def refuse_cohort_arguments(arguments: argparse.Namespace) -> None:
    """Raise InputImageError for an argument of many scans, because this is not a folder segmented into a folder."""
    for name, option in _ARGUMENTS.items():
        if getattr(arguments, name) is not None:
            raise InputImageError(
                f"{option} is for a folder of scans and a folder for their results. Give two folders, or leave it out."
            )


def prepare_workers(arguments: argparse.Namespace) -> None:
    """Begin to load what several processes will need, while this one looks for scans; returns at once."""
    if arguments.jobs is not None and arguments.jobs > 1:
        begin_loading()


def chosen_executor(
    arguments: argparse.Namespace, tasks: Sequence[ScanTask], card: ModelCard
) -> tuple[Executor, list[ScanTask], list[str]]:
    """Where the scans are segmented, the tasks for there, and sentences on what differs from the arguments.

    Raises DeviceError, DependencyError, InputImageError.
    """
    if arguments.dask is not None:
        from LightMedSegLib.cohorts.executors.dask import DaskCluster

        return DaskCluster(arguments.dask), _with_path(tasks, _path_of_here()), []

    from LightMedSegLib.cohorts.executors.processes import Processes

    waiting = [task for task in tasks if not task.is_done] or tasks[:1]
    several = arguments.jobs is not None and arguments.jobs > 1
    decide = partial(computed_elsewhere, _shared) if several else _shared
    share, path = decide(arguments.jobs, waiting, card, tasks[0].options)
    if share.jobs == 1:
        device = share.devices[0]
        return InProcess(device), [_on(task, device) for task in tasks], share.notes
    return Processes(share), _with_path(tasks, path) if path else list(tasks), share.notes


def _shared(jobs: int | None, tasks: Sequence[ScanTask], card: ModelCard, options: SegmentOptions) -> tuple[Share, str]:
    """What each job gets, and the processor path that this computer would use, "" where no job needs one."""
    share = share_out(jobs, tasks, card, options)
    return share, _path_of_here() if share.jobs > 1 and "cpu" in share.devices else ""


def _on(task: ScanTask, device: str) -> ScanTask:
    return replace(task, options=replace(task.options, device=device))


def _path_of_here() -> str:
    from LightMedSegLib.network.cpu.choice import choose_cpu_path

    return choose_cpu_path().name


def _with_path(tasks: Sequence[ScanTask], path: str) -> list[ScanTask]:
    """The tasks with a processor path: every worker then gives the same labels."""
    return [replace(task, cpu_path=path, chosen_on=platform.node()) for task in tasks]
