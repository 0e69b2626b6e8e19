"""Runs one segmentation at a time beside the user interface, and tells the panel how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _

from LightMedSegLib.errors import CancelledError, InputImageError, LightMedSegError
from LightMedSegLib.mrml.job_state import Job, JobState
from LightMedSegLib.mrml.worker import Worker

_POLL_MILLISECONDS = 50


class Runner:
    """A worker thread and the timer that asks it; on_tick(job) is called after every look at a job."""

    def __init__(self) -> None:
        self.on_tick: Callable[[Job], None] = _ignore
        self._worker = Worker()
        self._timer = qt.QTimer()
        self._timer.interval = _POLL_MILLISECONDS
        self._timer.connect("timeout()", self._poll)

    @property
    def job(self) -> Job | None:
        """The job that has not ended yet."""
        return self._worker.job

    def start(self, job: Job) -> None:
        """Begin a job and return; raises LightMedSegError while another one has not ended."""
        self._worker.submit(job)
        self._timer.start()

    def run(self, job: Job) -> Any:
        """Begin a job and wait for its outcome; the views and panels stay alive, but take no clicks.

        Raises LightMedSegError (CancelledError, InputImageError, ...) in words when there is no outcome.
        """
        self._worker.submit(job)
        self._worker.wait(job, on_idle=lambda: self._idle(job))
        self.on_tick(job)
        if job.state is JobState.DONE:
            return job.outcome
        raise _error_of(job)

    def cancel(self) -> None:
        """Ask the present job to stop; nothing happens without one."""
        self._worker.cancel()

    def drop(self) -> None:
        """The scene is being closed: nobody wants the result any more."""
        if self.job is not None:
            self.job.drop(_("The scene was closed during the segmentation; the result was dropped."))

    def close(self) -> None:
        """End the thread; the runner cannot be used any more."""
        self._timer.stop()
        self.on_tick = _ignore
        self._worker.close()

    def _poll(self) -> None:
        job = self.job
        if job is None:
            self._timer.stop()
            return
        self._worker.poll()
        if self.job is None:
            self._timer.stop()
        self.on_tick(job)

    def _idle(self, job: Job) -> None:
        qt.QCoreApplication.processEvents(qt.QEventLoop.ExcludeUserInputEvents)
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


def _ignore(job: Job) -> None:
    """Nobody is looking."""
