"""The workers of an existing Dask cluster, on this computer or on others that share its folders."""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LightMedSegLib import __version__
from LightMedSegLib.cohorts.executors import SCAN_STEPS
from LightMedSegLib.cohorts.executors.dask_worker import stop, topic, work
from LightMedSegLib.cohorts.memory import largest_first
from LightMedSegLib.cohorts.report import FAILED, SKIPPED, ScanReport
from LightMedSegLib.cohorts.task import ScanTask
from LightMedSegLib.core.errors import DependencyError, InputImageError
from LightMedSegLib.core.progress import CancelToken, ProgressCallback
from LightMedSegLib.storage.atomic_files import new_mark, remove_marked

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_SECONDS = 0.1
_GRACE_SECONDS = 1.0
"""How long cancelled scans may take to end by themselves."""

_CONNECT_SECONDS = "10s"


class DaskCluster:
    """Segments the scans on the workers of a scheduler; the cluster itself is left as it is.

    address: the scheduler's, such as tcp://node:8786, or the name of its scheduler file, which ends in .json.
    Raises DependencyError without the package distributed, InputImageError where no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        self._client = _connected(address)
        self.where = f"on the Dask cluster at {address}, with {len(self._client.nthreads())} workers so far"

    def run(self, tasks: Sequence[ScanTask], progress: ProgressCallback, cancel: CancelToken) -> Generator[ScanReport]:
        """As Executor.run says; begins with the largest scans.

        A worker that ends loses nothing: Dask gives its scans to the others.
        """
        tasks = largest_first(tasks)
        run, mark = secrets.token_hex(8), new_mark()
        finished: queue.SimpleQueue[Future] = queue.SimpleQueue()
        try:
            # The keys are shown on Dask's own pages, so they name no scan.
            keys = [f"lightmedseg-{run}-{index}" for index in range(len(tasks))]
            names = {key: task.name for key, task in zip(keys, tasks, strict=True)}
            # The only reference to each future: a result that is kept would be computed again when its worker ends.
            columns = [run] * len(tasks), [mark] * len(tasks), tasks
            waiting = dict(zip(keys, self._client.map(work, *columns, key=keys, pure=False), strict=True))
            for key in keys:
                waiting[key].add_done_callback(finished.put)
            deadline = float("inf")
            while waiting and time.monotonic() < deadline:
                done = len(tasks) - len(waiting)
                progress(SCAN_STEPS * done, SCAN_STEPS * len(tasks), f"{done} of {len(tasks)} scans are done")
                if cancel.cancelled and deadline == float("inf"):
                    self._client.run(stop, run, wait=False, on_error="ignore")
                    deadline = time.monotonic() + _GRACE_SECONDS
                try:
                    key = finished.get(timeout=_LOOK_SECONDS).key
                except queue.Empty:
                    continue
                report = _report(waiting.pop(key), names[key])
                yield (self._known(run, key, report.name) or report) if report.state == SKIPPED else report
            for key in waiting:
                # A scan that was finished just before the end.
                if late := self._known(run, key, names[key]):
                    yield late
            if not waiting:
                # What a worker left half written when it was killed.
                for folder in {folder for task in tasks for folder in task.folders}:
                    remove_marked(folder, mark)
        except BaseException:
            self._client.run(stop, run, wait=False, on_error="ignore")
            raise
        finally:
            self._client.close(timeout=1)

    def _known(self, run: str, key: str, name: str) -> ScanReport | None:
        """The report of a scan that this run has segmented, though its worker has ended; None without one."""
        for _, (known, values) in self._client.get_events(topic(run)):
            if known == key:
                return ScanReport(**{**values, "name": name})
        return None


def _report(future: Future, name: str) -> ScanReport:
    """The report of a finished future; raises what stops all scans."""
    from distributed import CancelledError, KilledWorker

    try:
        report: ScanReport = future.result()
    except KilledWorker:
        return ScanReport(
            name,
            FAILED,
            "Its worker ended several times before the scan was done, as happens when memory runs out; give the "
            "workers more memory.",
        )
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"A Dask worker lacks the Python module {error.name}; install lightmedseg {__version__} there."
        ) from error
    except CancelledError as error:
        raise InputImageError(
            "The Dask scheduler was lost: finished results stay, and the same command goes on with the rest."
        ) from error
    return report


def _connected(address: str) -> Client:
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"--dask needs the Python package {error.name}; pip install 'lightmedseg[cluster]'."
        ) from error
    where: dict[str, Any] = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        if "scheduler_file" in where:
            Path(address).open().close()  # A client would wait for a missing file for ever.
        elif not address.startswith("inproc:"):  # That of a cluster in this process has no port.
            get_address_host_port(address)  # A client that fails on an address cannot be closed again.
        return Client(**where, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputImageError(
            f"No Dask scheduler answers at {address}; give the address that dask scheduler prints, such as "
            "tcp://node:8786, or its scheduler file."
        ) from error
