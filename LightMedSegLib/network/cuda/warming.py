"""Compilation in a separate process, so that this one loads the result from the disk."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from LightMedSegLib.core.child_process import python_program
from LightMedSegLib.core.errors import OutputError, first_line
from LightMedSegLib.network.cuda.kept import compiled_folder, make_room, private_task_folder, read_outcome
from LightMedSegLib.network.cuda.task import CompileTask
from LightMedSegLib.storage.file_lock import LockedError, exclusive

LONGEST_SECONDS = 600.0

_LOCK = "lock"
_POLL_SECONDS = 0.25

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from LightMedSegLib.network.cuda.__main__ import main; sys.exit(main(sys.argv[2:]))"
)
"""The folder of the library is an argument, because launchers such as PythonSlicer may replace PYTHONPATH."""


def warm(task: CompileTask, stop: threading.Event, program: Sequence[str] | None = None) -> str:
    """Compile task in another process unless it is compiled; return why it cannot be compiled, "" if it can.

    program: the command of that process, for tests. Only one such process runs for a user at a time.
    """
    try:
        folder = private_task_folder(task.key)
        outcome = read_outcome(folder)
        if outcome is not None:
            return outcome.reason
        with exclusive(compiled_folder() / _LOCK, wait_seconds=0.0):
            make_room()
            return _in_process([*(program or _command()), task.to_json(), str(folder)], folder, stop)
    except LockedError:
        return "another program is compiling at this moment"
    except (OSError, OutputError) as error:
        return f"the folder of what is compiled cannot be used ({first_line(error)})"


def _command() -> list[str]:
    return [python_program(), "-c", _PROGRAM, str(Path(__file__).resolve().parents[3])]


def _in_process(command: Sequence[str], folder: Path, stop: threading.Event) -> str:
    # The end of its input is the end of its parent to the process, behind a launcher too.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder
    ) as process:
        try:
            deadline = time.monotonic() + LONGEST_SECONDS
            while process.poll() is None and time.monotonic() < deadline and not stop.wait(_POLL_SECONDS):
                pass
        finally:
            if process.poll() is None:
                process.kill()
    if stop.is_set():
        return "it was stopped"
    outcome = read_outcome(folder)
    return outcome.reason if outcome is not None else f"the compiler ended with code {process.returncode}"
