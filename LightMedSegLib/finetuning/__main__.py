"""``python -m LightMedSegLib.finetuning JOB.json``: one fine-tuning job in a separate process.

Standard output has one JSON object a line, each with "event" and "elapsed" seconds: start, baseline (Dice of the parent
on the held-out cases), step (loss), dice (on the held-out cases of the present fold, if that is fast), part (a finished
fold: Dice before and after over the folds so far; the last training, on all cases, has none), testing, verdict, and
cancelled, or failed with a message.

The exit code is 0 after a verdict, 2 for a problem that the user can act on, 130 after a cancellation. A file called
"stop" beside JOB.json cancels the job; when it is started again, it resumes from its last checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from LightMedSegLib.core.child_process import EventWriter, keep_memory, lower_priority, watched
from LightMedSegLib.core.errors import CancelledError, LightMedSegError
from LightMedSegLib.core.progress import CancelToken
from LightMedSegLib.finetuning.job.description import STOP_FILE, JobDescription

USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: list[str] | None = None) -> int:
    """Run the job and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m LightMedSegLib.finetuning", description=__doc__)
    parser.add_argument("job", type=Path, help="the job's JSON file, in a folder of its own")
    parser.add_argument("--watch-input", action="store_true", help="end when standard input is closed")
    chosen = parser.parse_args(arguments)
    folder = chosen.job.resolve().parent
    report, cancel = EventWriter(sys.stdout), CancelToken()
    lower_priority()
    keep_memory()
    (folder / STOP_FILE).unlink(missing_ok=True)
    try:
        with watched(cancel, folder / STOP_FILE, chosen.watch_input):
            description = JobDescription.read(chosen.job)
            # Torch takes seconds to import, so the job file is checked first.
            from LightMedSegLib.finetuning.job.job import run_job

            run_job(description, folder, report, cancel)
    except CancelledError:
        report({"event": "cancelled"})
        return INTERRUPTED
    except LightMedSegError as error:
        report({"event": "failed", "message": str(error)})
        return USER_ERROR
    finally:
        (folder / STOP_FILE).unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
