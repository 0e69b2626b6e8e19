"""Several scans at once, each in a process of its own on this computer."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory

from LightMedSegLib.cohorts.executors import SCAN_STEPS
from LightMedSegLib.cohorts.executors.starting import loaded, start_context, without_interrupts
from LightMedSegLib.cohorts.memory import largest_first
from LightMedSegLib.cohorts.report import FAILED, ScanReport
from LightMedSegLib.cohorts.sharing import Share
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.cohorts.worker import WorkerSettings, begin, work
from LightMedSegLib.core.progress import CancelToken, ProgressCallback
from LightMedSegLib.storage.atomic_files import new_mark, remove_marked

MOST_DEATHS = 2
"""A scan whose worker ends this many times is given up."""

_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 1.0
"""How long cancelled scans may take to end by themselves."""

_LEAVING_SECONDS = 10.0
"""How long an idle process may take to leave."""


class Processes:
    """Segments the scans in the processes of a Share, each of which has one device.

    Each worker is a pool of one process, so that it is known which scan ends a worker, and the others work on.
    """

    def __init__(self, share: Share) -> None:
        self._share = share
        self.where = f"in {share.jobs} processes on {', '.join(dict.fromkeys(share.devices))}"

    def run(self, tasks: Sequence[ScanTask], progress: ProgressCallback, cancel: CancelToken) -> Generator[ScanReport]:
        """As Executor.run says; begins with the largest scans, so that the workers end at about the same time."""
        with TemporaryDirectory(prefix="lightmedseg-") as folder:
            stop_file = Path(folder) / "stop"
            workers = [_Worker(device, self._share.threads, stop_file) for device in self._share.devices]
            try:
                yield from _Run(workers, largest_first(tasks), progress, cancel, stop_file).reports()
            except BaseException:
                stop_file.touch()
                raise
            finally:
                for worker in workers:
                    worker.end(at_once=stop_file.exists())
                for worker in workers:
                    worker.clear()


@dataclass
class _Assignment:
    worker: _Worker
    task: ScanTask
    deaths: int


class _Run:
    """The scans of one run on their way through the workers."""

    def __init__(
        self,
        workers: Sequence[_Worker],
        tasks: Sequence[ScanTask],
        progress: ProgressCallback,
        cancel: CancelToken,
        stop_file: Path,
    ) -> None:
        self._idle = list(workers)
        self._waiting = deque((task, 0) for task in tasks)
        self._running: dict[Future[ScanReport], _Assignment] = {}
        self._progress, self._cancel, self._stop_file = progress, cancel, stop_file
        self._count = len(tasks)

    def reports(self) -> Iterator[ScanReport]:
        """The reports as they come; after cancelling, those that come within a moment."""
        ready = loaded()
        while not ready.wait(_LOOK_SECONDS) and not self._cancel.cancelled:
            self._tell()
        while (self._waiting or self._running) and not self._cancel.cancelled:
            while self._waiting and self._idle:
                self._start(self._idle.pop(), *self._waiting.popleft())
            yield from self._finished(_LOOK_SECONDS)
            self._tell()
        if self._cancel.cancelled:
            self._stop_file.touch()
            wait(self._running, _GRACE_SECONDS)
            yield from self._finished(0.0)

    def _start(self, worker: _Worker, task: ScanTask, deaths: int) -> None:
        try:
            future = worker.submit(task)
        except BrokenProcessPool:  # It ended while it had nothing to do.
            worker.end(at_once=True)
            worker.clear()
            future = worker.submit(task)
        self._running[future] = _Assignment(worker, task, deaths)

    def _finished(self, seconds: float) -> Iterator[ScanReport]:
        for future in wait(self._running, seconds, FIRST_COMPLETED).done:
            one = self._running.pop(future)
            try:
                report = future.result()
            except BrokenProcessPool:
                one.worker.end(at_once=True)
                one.worker.clear()
                if one.deaths + 1 < MOST_DEATHS:
                    # Whatever the worker wrote before it ended is ours: it is not a result that existed before.
                    self._waiting.append((replace(one.task, overwrite=True), one.deaths + 1))
                    self._idle.append(one.worker)
                    continue
                report = ScanReport(one.task.name, FAILED, _KILLED)
            self._idle.append(one.worker)
            yield report

    def _tell(self) -> None:
        done = self._count - len(self._waiting) - len(self._running)
        self._progress(SCAN_STEPS * done, SCAN_STEPS * self._count, f"{done} of {self._count} scans are done")


_KILLED = (
    f"Its process ended {MOST_DEATHS} times before the scan was done, as happens when memory runs out; segment it "
    "alone, or on a computer with more memory."
)


class _Worker:
    """A pool of one process, replaced by a new one when the process ends."""

    def __init__(self, device: str, threads: int, stop_file: Path) -> None:
        self._device, self._threads, self._stop_file = device, threads, stop_file
        self._pool: ProcessPoolExecutor | None = None
        self._process: BaseProcess | None = None
        self._mark = ""
        self._folders: tuple[Path, ...] = ()

    def submit(self, task: ScanTask) -> Future[ScanReport]:
        """Begin with a scan on the worker's device."""
        if self._pool is None:
            self._mark = new_mark()
            settings = WorkerSettings(self._stop_file, self._mark, self._threads)
            self._pool = ProcessPoolExecutor(1, start_context(), begin, (settings,))
        threads = task.options.threads or self._threads
        own = replace(task, options=replace(task.options, device=self._device, threads=threads))
        self._folders = own.folders
        before = set(active_children())
        with without_interrupts():
            future = self._pool.submit(work, own)
        self._process = next(iter(set(active_children()) - before), self._process)
        return future

    def end(self, at_once: bool) -> None:
        """Let the process end, or end it at once; clear() waits for that."""
        if at_once and self._process is not None:
            self._process.kill()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def clear(self) -> None:
        """Wait for the end of the process, and remove what it left half written; the next scan gets a new one."""
        if self._process is not None:
            # The pool itself waits only in the first call of shutdown.
            self._process.join(_LEAVING_SECONDS)
            self._process.kill()
            self._process.join()
        for folder in self._folders:
            remove_marked(folder, self._mark)
        self._pool = self._process = None
        self._folders = ()
