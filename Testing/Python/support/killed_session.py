"""A process that keeps a corrected segment and is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

from paths import REPOSITORY
from patience import limit

_PROGRAM = """
import os, signal, sys
import numpy as np
from LightMedSegLib.storage.kept_corrections import OwnCorrections
own = OwnCorrections()
own.write({write})
print("written", flush=True)
{end}
"""

KILL = "os.kill(os.getpid(), signal.SIGKILL)" if os.name != "nt" else "os._exit(9)"
STAY = "sys.stdin.readline()"


def run_session(write: str, paths: Sequence[str] = (), end: str = KILL) -> subprocess.Popen[str]:
    """A process that has written the arrays of an expression; it is killed, or lives until its input ends.

    paths: further folders to import from.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *paths])}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(write=write, end=end)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "written"
    if end == KILL:
        assert process.wait(limit(30)) in (-signal.SIGKILL if os.name != "nt" else 9, 9)
    return process
