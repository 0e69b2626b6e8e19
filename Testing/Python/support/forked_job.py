"""A fine-tuning job in a forked process: one of its own, as the panel starts it, in which torch is imported already."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from forked import end_after

from LightMedSegLib.finetuning import __main__ as program
from LightMedSegLib.finetuning.job.description import JOB_FILE
from LightMedSegLib.gui.finetune.process import EVENTS_FILE, LOG_FILE, LocalProcess


class ForkedJob(LocalProcess):
    """As LocalProcess, with the same files, pipe and exit code; where processes cannot be forked, it is one."""

    def __init__(self, folder: Path) -> None:
        if not hasattr(os, "fork"):
            super().__init__(folder)
            return
        self._folder, self._read = folder, 0
        self._process = _Child(folder)  # type: ignore[assignment]


class _Child:
    """What LocalProcess uses of subprocess.Popen."""

    def __init__(self, folder: Path) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(writing)
            end_after(lambda: _work(folder, reading), folder, [folder / EVENTS_FILE, folder / LOG_FILE])
        os.close(reading)
        self.stdin = os.fdopen(writing, "wb")
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if ended else None
        return self._code

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("the forked job", timeout)
            time.sleep(0.01)
        assert self._code is not None
        return self._code


def _work(folder: Path, reading: int) -> int:
    """Run the job with the pipe as its input; the exit code."""
    os.dup2(reading, 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    import torch

    # Of the parent's threads none is here, and more than one would wait for them.
    torch.set_num_threads(1)
    os.nice = lambda _more: 0
    return program.main([str(folder / JOB_FILE), "--watch-input"])
