"""Work in a forked process: a process of its own, in which nothing has to be imported again."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from LightMedSegLib.core.process.forked import one_thread_if_forked


def end_after(work: Callable[[], int], folder: Path, printed: Sequence[Path]) -> NoReturn:
    """Do work in folder, in a child process, and end with its exit code.

    printed: the files that get standard output and error.
    """
    code = 1
    try:
        for number, path in enumerate(printed, start=1):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(handle, number)
            os.close(handle)
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        os.chdir(folder)
        code = work()
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class Forked:
    """A child process that does work with folder as its current folder; what work returns is the exit code.

    Standard output and error are caught in files of folder until end().
    """

    def __init__(self, work: Callable[[], int], folder: Path) -> None:
        self._printed = [folder / name for name in ("standard-output", "standard-error")]
        # As if the library had computed here: a child of a process with PyTorch's threads must keep to one.
        one_thread_if_forked("cpu")
        self._pid = os.fork()
        if self._pid == 0:
            end_after(work, folder, self._printed)

    def send_signal(self, number: int) -> None:
        """Send the child a signal; it must not have been waited for."""
        os.kill(self._pid, number)

    def end(self, words: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Wait for the child; words stand for its command."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        out, told = (path.read_text() for path in self._printed)
        for path in self._printed:
            path.unlink()
        return subprocess.CompletedProcess(list(words), code, out, told)


def forked(work: Callable[[], int], words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Do work in a child process and wait for it, as Forked says; words stand for the command."""
    return Forked(work, folder).end(words)
