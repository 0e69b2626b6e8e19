"""Running a cohort: what has a result stays, the rest goes to an executor, and every scan gets a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from LightMedSegLib.cohorts.executors import Executor
from LightMedSegLib.cohorts.report import NOT_STARTED, SKIPPED, ScanReport
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.progress import CancelToken, ProgressCallback


def run_cohort(
    tasks: Sequence[ScanTask],
    executor: Executor,
    on_report: Callable[[ScanReport], None],
    progress: ProgressCallback,
    cancel: CancelToken,
) -> list[ScanReport]:
    """Segment the scans and return a report of each, in the order of the tasks.

    on_report gets each report as soon as it is known. progress is called as progress(done, total, message), without the
    scans that have a result. Once cancel is set, this returns within two seconds, and every result is whole or missing.
    A scan that cannot be segmented does not stop the others.

    Raises LightMedSegError where no scan could be segmented, such as for a model that a worker lacks.
    """
    reports: dict[str, ScanReport] = {}

    def take(report: ScanReport) -> None:
        reports[report.name] = report
        on_report(report)

    waiting = []
    for task in tasks:
        if task.is_done:
            take(ScanReport(task.name, SKIPPED))
        else:
            waiting.append(task)
    with closing(executor.run(waiting, progress, cancel)) as coming:
        for report in coming:
            take(report)
    for task in tasks:
        if task.name not in reports:
            take(ScanReport(task.name, NOT_STARTED))
    return [reports[task.name] for task in tasks]
