"""Work in a forked process: a process of its own, in which nothing has to be imported again."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path


def forked(work: Callable[[], int], words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Do work in a child process with folder as its current folder; what work returns is the exit code.

    Standard output and error are caught in files of folder; words stand for the command.
    """
    printed = [folder / name for name in ("standard-output", "standard-error")]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number, path in enumerate(printed, start=1):
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.dup2(handle, number)
                os.close(handle)
            sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
            os.chdir(folder)
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out, told = (path.read_text() for path in printed)
    for path in printed:
        path.unlink()
    return subprocess.CompletedProcess(list(words), code, out, told)
