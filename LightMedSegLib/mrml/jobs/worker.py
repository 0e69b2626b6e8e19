"""One worker thread that runs the library in the background; the main thread polls it.

The thread is persistent, because CUDA and its libraries are initialised again in every new thread. It accesses no
scene and no widget: the input of a job is copied before, and :meth:`Worker.poll`, which the main thread calls from a
timer, delivers its result.
"""

from __future__ import annotations

import atexit
import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from LightMedSegLib.core.errors import CancelledError, LightMedSegError
from LightMedSegLib.mrml.jobs.garbage import allow_collection, collection_held
from LightMedSegLib.mrml.jobs.job_state import Job, JobContext, JobState, describe_failure

_PREPARE_SECONDS = 0.02
"""Seconds of one poll that copying may take: users notice delays from a tenth of a second."""

_LAST_WAIT_SECONDS = 5.0

_logger = logging.getLogger("LightMedSeg")


class Worker:
    """Runs one job at a time. All methods are for the main thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        self._polling = False
        self._closed = False
        self._delivered = False

    @property
    def job(self) -> Job | None:
        """The job that has not ended yet, including one that is being cancelled."""
        return self._job

    def submit(self, job: Job) -> None:
        """Start a job at the next poll.

        Raises LightMedSegError while another job has not ended, and after close().
        """
        if self._closed:
            raise LightMedSegError("LightMedSeg is shutting down; nothing can be started any more.")
        if self._job is not None:
            what = "is being stopped; try again in a moment" if self._job.stopping else "is running; cancel it first"
            raise LightMedSegError(f"Another task of LightMedSeg {what}.")
        self._job = job

    def cancel(self) -> None:
        """Request the present job, if any, to stop; it ends in state CANCELLED at a later poll."""
        if self._job is not None:
            self._job.cancel()

    def poll(self) -> None:
        """Advance the present job: copy its input in small steps, deliver results, handle errors."""
        # A delivery may run the event loop (a message box), and with it the timer that calls this.
        if self._job is None or self._polling:
            return
        self._polling = True
        try:
            self._advance(self._job)
        finally:
            self._polling = False

    def wait(self, job: Job, timeout: float | None = None, on_idle: Callable[[], None] | None = None) -> None:
        """Poll until a job has ended; on_idle is called between polls. Raises TimeoutError after timeout seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not job.state.ended:
            self.poll()
            if on_idle is not None:
                on_idle()
            self.give_time(0.02)
            if deadline is not None and time.monotonic() > deadline and not job.state.ended:
                raise TimeoutError(f"The job has not ended after {timeout:g} seconds.")

    def give_time(self, seconds: float) -> None:
        """Wait for up to seconds, or until the thread has a result to deliver; return at once if it is idle."""
        job = self._job
        if job is not None and job.state is JobState.RUNNING:
            job.changed.wait(seconds)
            job.changed.clear()

    def stop(self) -> None:
        """Cancel the present job and request the thread to end, without waiting; no job can be started afterwards."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self.cancel()

    def close(self, timeout: float = 5.0) -> bool:
        """Call stop() and wait for the end; return False if the thread did not end within timeout."""
        self.stop()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)
        if self._job is not None:
            if self._delivered:
                self._end_delivered(self._job)
            else:
                self._end(self._job, JobState.CANCELLED, "Cancelled: nothing was written.")
        if thread is None or not thread.is_alive():
            return True
        # A thread that comes back from PyTorch while the interpreter ends aborts the whole program.
        atexit.register(thread.join, _LAST_WAIT_SECONDS)
        return False

    def _advance(self, job: Job) -> None:
        if self._delivered:
            self._end_delivered(job)
            return
        if not job.stopping:
            reason = job.unwanted()
            if reason:
                job.drop(reason)
        if job.state is JobState.QUEUED:
            self._prepare(job)
            return
        # Before looking into the inbox: a thread that ends in between has put its last word there.
        alive = self._thread is not None and self._thread.is_alive()
        while True:
            try:
                kind, value = job.inbox.get_nowait()
            except queue.Empty:
                break
            self._handle(job, kind, value)
            if job.state.ended or self._delivered:
                return
        if not alive:
            self._thread = None
            self._end(job, JobState.FAILED, "The worker stopped unexpectedly; try again, or restart Slicer.")

    def _prepare(self, job: Job) -> None:
        if job.stopping:
            self._end_stopped(job)
            return
        until = time.perf_counter() + _PREPARE_SECONDS
        try:
            while time.perf_counter() < until:
                if next(job.preparation, job) is job:
                    self._start(job)
                    return
        except Exception as error:
            self._fail(job, error)

    def _start(self, job: Job) -> None:
        job.state = JobState.RUNNING
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=_serve, args=(self._queue,), name="LightMedSeg", daemon=True)
            self._thread.start()
            # A script that forgets its worker must not leave a waiting thread behind.
            weakref.finalize(self, self._queue.put, None)
        self._queue.put(job)

    def _handle(self, job: Job, kind: str, value: Any) -> None:
        if kind == "failed":
            if job.stopping or isinstance(value, CancelledError):
                self._end_stopped(job)
            else:
                self._fail(job, value)
            return
        if job.stopping:
            if kind == "done":
                self._end_stopped(job)
            return
        try:
            outcome = job.deliver(value, kind == "done")
        except Exception as error:
            if kind == "done":
                self._fail(job, error)
            else:
                # Without this the job would go on for a result that cannot be shown.
                job.fail_when_stopped(error)
            return
        finally:
            job.delivered.set()
        if kind == "done":
            # The job ends at the next poll: writing the result and showing it in one go would be a long stop.
            job.outcome, self._delivered = outcome, True

    def _fail(self, job: Job, error: BaseException) -> None:
        job.error = error
        if not isinstance(error, LightMedSegError):
            _logger.error("A job failed.", exc_info=error)
        self._end(job, JobState.FAILED, describe_failure(error))

    def _end_delivered(self, job: Job) -> None:
        # A scene that was closed in the meantime took the result with it.
        self._end(job, JobState.DROPPED if job.drop_reason else JobState.DONE, job.drop_reason)

    def _end_stopped(self, job: Job) -> None:
        if job.late_error is not None:
            self._fail(job, job.late_error)
        elif job.drop_reason:
            self._end(job, JobState.DROPPED, job.drop_reason)
        else:
            self._end(job, JobState.CANCELLED, "Cancelled: nothing was written.")

    def _end(self, job: Job, state: JobState, message: str) -> None:
        job.state, job.message = state, message
        # Copied voxels must not live on with a job that somebody still holds.
        job.forget_input()
        self._job, self._delivered = None, False
        allow_collection()
        job.on_end(job)


def _serve(jobs: queue.SimpleQueue[Job | None]) -> None:
    while True:
        job = jobs.get()
        if job is None:
            return
        try:
            with collection_held():
                result = job.work(JobContext(job))
        except Exception as error:
            job.post("failed", error)
        else:
            job.post("done", result)
            del result
        # Otherwise the last job's arrays stay in memory until the next one.
        del job
