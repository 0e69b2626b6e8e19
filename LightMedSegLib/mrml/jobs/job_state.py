"""A background job, its states and its progress."""

from __future__ import annotations

import enum
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from LightMedSegLib.core.errors import CancelledError, LightMedSegError
from LightMedSegLib.core.out_of_memory import is_of_the_computer, is_out_of_memory
from LightMedSegLib.core.progress import CancelToken, TimeLeft


class JobState(enum.Enum):
    """QUEUED: its input is being copied. DROPPED: its result is obsolete (scene closed, volume removed)."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DROPPED = "dropped"

    @property
    def ended(self) -> bool:
        """Whether this is a state that a job never leaves."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class Progress:
    """A snapshot: done of total units, seconds since the start, and seconds left (None while unknown; never rising)."""

    done: int
    total: int
    message: str
    elapsed: float
    remaining: float | None

    @property
    def fraction(self) -> float:
        """0..1."""
        return self.done / self.total if self.total else 0.0


class Job:
    """One run.

    Args:
        preparation: steps for the main thread, each a few milliseconds, before the work begins.
        work: called in the worker thread with a :class:`JobContext`; no scene, no widgets.
        deliver: called on the main thread with each result of work; the flag marks the final one.
        unwanted: called on the main thread at every poll; returns a sentence once the result is obsolete.
        on_end: called on the main thread when the job has ended, in whatever state.
    """

    def __init__(
        self,
        preparation: Iterator[Any],
        work: Callable[[JobContext], Any],
        deliver: Callable[[Any, bool], Any],
        unwanted: Callable[[], str] = lambda: "",
        on_end: Callable[[Job], None] = lambda job: None,
    ):
        self.preparation = preparation
        self.work = work
        self.deliver = deliver
        self.unwanted = unwanted
        self.on_end = on_end
        self.state = JobState.QUEUED
        self.message = ""
        self.outcome: Any = None
        self.error: BaseException | None = None
        self.late_error: Exception | None = None
        self.drop_reason = ""
        self.token = CancelToken()
        self.inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.changed = threading.Event()
        self.delivered = threading.Event()
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._left = TimeLeft()
        self._step = (0, 0, "Reading the volume")

    @property
    def stopping(self) -> bool:
        """Whether the job was cancelled or dropped; it ends at the next check of its work."""
        return self.token.cancelled

    @property
    def progress(self) -> Progress:
        """The progress of the job; safe in any thread."""
        with self._lock:
            (done, total, message), remaining = self._step, self._left.seconds
        return Progress(done, total, message, time.monotonic() - self._started, remaining)

    def cancel(self) -> None:
        """Request the work to stop; its result is not delivered."""
        self.token.cancel()
        self.changed.set()
        self.delivered.set()

    def drop(self, reason: str) -> None:
        """Stop because the result is obsolete; reason is the sentence for the user."""
        self.drop_reason = reason
        self.cancel()

    def fail_when_stopped(self, error: Exception) -> None:
        """Stop, and then fail with error."""
        self.late_error = error
        self.cancel()

    def post(self, kind: str, value: Any) -> None:
        """Post a message from the worker thread to the main thread: "partial", "done" or "failed", with its value."""
        self.inbox.put((kind, value))
        self.changed.set()

    def set_progress(self, done: int, total: int, message: str) -> None:
        """A ProgressCallback for the work."""
        with self._lock:
            self._left.report(done, total, message, time.monotonic())
            self._step = (done, total, message)

    def forget_input(self) -> None:
        """Release everything that the work needed."""
        self.preparation = iter(())
        self.work = _ended
        self.deliver = _ended
        self.unwanted = str
        self.inbox = queue.SimpleQueue()


class JobContext:
    """The interface of a job for its work, in the worker thread."""

    def __init__(self, job: Job):
        self.cancel = job.token
        self.progress = job.set_progress
        self._post, self._delivered = job.post, job.delivered

    def publish(self, value: Any, rest_seconds: float = 0.0) -> None:
        """Publish an intermediate result, delivered at the next poll; rest until then, for rest_seconds at most.

        While the thread rests the user interface has the processor and Python's lock to itself.
        """
        self._delivered.clear()
        self._post("partial", value)
        # A cancel before clear() would be missed otherwise.
        if rest_seconds and not self.cancel.cancelled:
            self._delivered.wait(rest_seconds)


def describe_failure(error: BaseException) -> str:
    """Return the error as one sentence for the user."""
    if isinstance(error, LightMedSegError):
        return str(error)
    if not is_out_of_memory(error):
        return f"An unexpected problem stopped the task ({type(error).__name__}: {error}); the log has the details."
    if is_of_the_computer(error):
        return "The computer ran out of memory; choose a smaller region of interest, or close other programs."
    return "The graphics card ran out of memory; choose the CPU as the device, or a smaller region of interest."


def _ended(*_: Any) -> Any:
    raise CancelledError("Cancelled: nothing was written.")
