"""``python -m LightMedSegLib.network.cuda TASK FOLDER [THREADS]``: compile a pass of the network into FOLDER.

TASK is a CompileTask as JSON. The process has low priority, ends when its standard input does, and writes how it
ended into FOLDER.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from LightMedSegLib.core.child_process import lower_priority, watched
from LightMedSegLib.core.errors import first_line
from LightMedSegLib.core.progress import CancelToken

_STOP_FILE = "stop"


def main(arguments: list[str]) -> int:
    """Compile; return 0 where that succeeded."""
    text, folder = arguments[0], Path(arguments[1])
    threads = int(arguments[2]) if len(arguments) > 2 else 1
    lower_priority()
    with watched(CancelToken(), folder / _STOP_FILE, watch_input=True):
        # Only now, because torch takes seconds to import.
        from LightMedSegLib.core.out_of_memory import is_out_of_memory
        from LightMedSegLib.network.cuda.kept import Outcome, write_outcome
        from LightMedSegLib.network.cuda.trial import trial

        started = time.monotonic()
        try:
            reason = trial(text, folder, threads)
        except Exception as error:  # whatever it is, this computer cannot compile the pass
            if is_out_of_memory(error):
                raise
            reason = first_line(error)
        write_outcome(folder, Outcome(reason, round(time.monotonic() - started, 1)))
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
