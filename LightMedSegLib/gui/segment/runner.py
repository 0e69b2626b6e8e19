"""Runs one job at a time beside the user interface, and reports its progress to the panel."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LightMedSegLib.core.errors import CancelledError, InputImageError, LightMedSegError
from LightMedSegLib.mrml.jobs.job_state import Job, JobState
from LightMedSegLib.mrml.jobs.worker import Worker

_YIELD_SECONDS = 0.015
"""How long each poll lets the thread work: short enough that views follow the mouse."""

_TICK_SECONDS = 0.05


class Runner:
    """A worker thread and the timer that polls it.

    on_tick(job) is called regularly and at the end of a job; on_busy(running) at its start and end.

    Slicer's event loop does not release Python's global lock: the thread would stand still between two events that
    run Python code. So the timer fires whenever there is nothing else to do, and waits a little for the thread.
    """

    def __init__(self) -> None:
        self.on_tick: Callable[[Job], None] = _ignore
        self.on_busy: Callable[[bool], None] = _ignore
        self._worker = Worker()
        # Created by the first start(): a timer would keep the runners of all blocking calls of a script alive.
        self._timer: Any = None
        self._told = 0.0

    @property
    def job(self) -> Job | None:
        """The job that has not ended yet; None without one."""
        return self._worker.job

    def start(self, job: Job) -> None:
        """Start a job and return at once; raises LightMedSegError while another one runs."""
        self._worker.submit(job)
        self.on_busy(True)
        if self._timer is None:
            self._timer = qt.QTimer()
            self._timer.interval = 0
            self._timer.connect("timeout()", self._poll)
        self._timer.start()

    def run(self, job: Job) -> Any:
        """Run a job and return its outcome; meanwhile views and panels are redrawn, but take no clicks.

        Raises LightMedSegError (CancelledError, InputImageError, ...) with a sentence for the user if it fails.
        """
        self._worker.submit(job)
        self.on_busy(True)
        self._worker.wait(job, on_idle=lambda: self._idle(job))
        self.on_busy(False)
        self.on_tick(job)
        if job.state is JobState.DONE:
            return job.outcome
        raise _error_of(job)

    def cancel(self) -> None:
        """Ask the present job to stop; does nothing without one."""
        self._worker.cancel()

    def drop(self) -> None:
        """Drop the result of the present job; called before the scene is closed."""
        if self.job is not None:
            self.job.drop(_("The scene was closed during the segmentation; the result was dropped."))

    def stop(self) -> None:
        """Ask the job and the thread to end, without waiting; the runner cannot be used afterwards."""
        if self._timer is not None:
            self._timer.stop()
        self.on_tick = self.on_busy = _ignore
        self._worker.stop()

    def close(self, seconds: float = 5.0) -> None:
        """Stop, and wait up to seconds for the end of the thread."""
        self.stop()
        self._worker.close(seconds)

    def _poll(self) -> None:
        job = self.job
        if job is None:
            self._timer.stop()
            return
        self._worker.poll()
        if self.job is None:
            self._timer.stop()
            self.on_busy(False)
        if job.state.ended or time.monotonic() - self._told >= _TICK_SECONDS:
            self._told = time.monotonic()
            self.on_tick(job)
        self._worker.give_time(_YIELD_SECONDS)

    def _idle(self, job: Job) -> None:
        slicer.app.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
        self.on_tick(job)


def _error_of(job: Job) -> Exception:
    if isinstance(job.error, LightMedSegError):
        return job.error
    if job.state is JobState.CANCELLED:
        return CancelledError(job.message)
    if job.state is JobState.DROPPED:
        return InputImageError(job.message)
    error = LightMedSegError(job.message)
    error.__cause__ = job.error
    return error


def _ignore(news: Any) -> None:
    """Do nothing."""
