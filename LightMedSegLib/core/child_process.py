"""The process of a job: progress as JSON lines, a stop file, and an end when the parent ends."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep

_WATCH_SECONDS = 0.25
_GRACE_SECONDS = 10.0
"""How long a job may take to write its checkpoint after its parent has ended."""

_BELOW_NORMAL_PRIORITY_CLASS = 0x4000


class EventWriter:
    """Writes events as JSON lines, each with the seconds since the start; a closed pipe is no error."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._started = stream, time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event."""
        line = json.dumps({**event, "elapsed": round(time.monotonic() - self._started, 2)}, allow_nan=False)
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


@contextlib.contextmanager
def watched(cancel: CancelToken, stop_file: Path, watch_input: bool = False) -> Iterator[None]:
    """Cancel when stop_file appears or the parent process ends; end hard if the work then does not stop.

    watch_input: the parent holds our standard input open, and its end means the parent's; this also works where
    orphans keep their parent's number (Windows).
    """
    finished = threading.Event()
    parent_gone = threading.Event()
    parent_runs = _parent_check()

    def look() -> None:
        while not finished.wait(_WATCH_SECONDS):
            if not parent_runs():
                parent_gone.set()
            if parent_gone.is_set():
                cancel.cancel()
                if not finished.wait(_GRACE_SECONDS):
                    os._exit(1)
            elif stop_file.exists():
                cancel.cancel()

    def read_input() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        parent_gone.set()

    threading.Thread(target=look, daemon=True).start()
    if watch_input:
        threading.Thread(target=read_input, daemon=True).start()
    try:
        yield
    finally:
        finished.set()


def _parent_check() -> Callable[[], bool]:
    """Return a function that says whether the process that started this one still runs.

    A process of multiprocessing may be a child of another process than the one that started it. Windows keeps the
    number of a parent that has ended: there the answer is always yes for other processes.
    """
    starter = multiprocessing.parent_process()
    if starter is not None:
        return starter.is_alive
    parent = os.getppid()
    return lambda: os.name == "nt" or os.getppid() == parent


def python_program() -> str:
    """Return the path of Slicer's Python inside Slicer, else that of the running interpreter."""
    return shutil.which("PythonSlicer") or sys.executable


def lower_priority() -> None:
    """Lower the priority of this process; where that is not possible, the job runs with its present one.

    Call it before torch is imported.
    """
    let_waiting_threads_sleep()
    with contextlib.suppress(OSError, AttributeError):
        if os.name == "nt":
            import ctypes

            kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
            kernel.SetPriorityClass(kernel.GetCurrentProcess(), _BELOW_NORMAL_PRIORITY_CLASS)
        else:
            os.nice(10)


def keep_memory() -> None:
    """Let the process reuse the memory of large tensors instead of giving it back after each; on glibc only.

    The system clears every page before it allocates it again, which took a fifth of a training step.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_MAX, 0)
        library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Numbers of mallopt's parameters in malloc.h."""
