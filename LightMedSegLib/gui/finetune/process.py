"""The process of a fine-tuning job, as the panel starts, follows and stops it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any, Protocol

from LightMedSegLib.core.child_process import python_program
from LightMedSegLib.finetuning.job.description import JOB_FILE, STOP_FILE

EVENTS_FILE, LOG_FILE = "events.jsonl", "log.txt"

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from LightMedSegLib.finetuning.__main__ import main; sys.exit(main(sys.argv[2:]))"
)
"""The library's folder is an argument, because launchers such as PythonSlicer may replace PYTHONPATH."""

_END_SECONDS = 0.5
"""How long closing Slicer waits for the job, which ends by itself in any case: its standard input is closed."""


class JobProcess(Protocol):
    """A process that the panel follows and stops. Only end() waits, for a moment."""

    def running(self) -> bool:
        """Whether the process is alive; if not, the next events() returns the last ones."""

    def events(self) -> list[dict[str, Any]]:
        """The events since the last call, oldest first."""

    def ask_to_stop(self) -> None:
        """Cancel the job, which saves a checkpoint and ends; may be called repeatedly."""

    def end(self) -> None:
        """Stop now, because Slicer ends or the module is reloaded; the job can be resumed later."""

    def last_words(self) -> str:
        """The standard error of a process that crashed."""


class LocalProcess:
    """A job on this computer, in a process of its own.

    Its output goes to files in the job's folder: a pipe would have to be emptied by a thread, which Slicer's event
    loop seldom lets run, and a full pipe would halt the job.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._read = folder, 0
        library = Path(__file__).resolve().parents[3]
        command = [python_program(), "-c", _PROGRAM, str(library), str(folder / JOB_FILE), "--watch-input"]
        with (folder / EVENTS_FILE).open("wb") as events, (folder / LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=events,
                stderr=log,
                cwd=folder,
                # No console window of its own on Windows.
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )

    @property
    def pid(self) -> int:
        """The identifier of the process, or of its launcher."""
        return self._process.pid

    def running(self) -> bool:
        """See JobProcess."""
        return self._process.poll() is None

    def events(self) -> list[dict[str, Any]]:
        """See JobProcess."""
        with (self._folder / EVENTS_FILE).open("rb") as stream:
            stream.seek(self._read)
            content = stream.read()
        # The last line may be half written.
        complete = content[: content.rfind(b"\n") + 1]
        self._read += len(complete)
        return [event for event in map(_event, complete.splitlines()) if event is not None]

    def ask_to_stop(self) -> None:
        """See JobProcess."""
        # A process that has just been started removes an old stop file, and with it the first request.
        with contextlib.suppress(OSError):
            (self._folder / STOP_FILE).touch()

    def end(self) -> None:
        """See JobProcess."""
        self.ask_to_stop()
        with contextlib.suppress(OSError):
            # The end of its input is the end of its parent to the job, behind a launcher too.
            if self._process.stdin is not None:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)

    def last_words(self) -> str:
        """See JobProcess."""
        try:
            return (self._folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""


def remove_output(folder: Path) -> None:
    """Delete the event and log files of a finished job."""
    for name in (EVENTS_FILE, LOG_FILE):
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        # A library that prints.
        return None
    return event if isinstance(event, dict) and "event" in event else None
