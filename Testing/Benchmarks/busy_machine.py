"""A whole segmentation beside other work: seconds on a quiet machine, and with 2 and 8 processes that never rest.

    python Testing/Benchmarks/busy_machine.py [--scan VOLUME] [--model brain-structures-mr] [--output busy.csv]

Each row is a process of its own that segments the scan, once to warm up and then --rounds times. "passive" threads
sleep while they wait for each other, which is what command and panel choose; "active" ones spin, which is PyTorch's
own choice. A fair share is the time on the quiet machine times (processors + busy processes) / processors.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from report import markdown, write_csv  # noqa: E402

from LightMedSegLib.model.store import resolve_model  # noqa: E402

BUSY = (0, 2, 8)
WAITING = ("passive", "active")
SAMPLE = ROOT / "Resources" / "SampleData" / "colin27-t1-head.nii.gz"

_OF_THREADS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")

_NEVER_RESTS = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""A program that ends with the one that started it, however that ends."""


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Keep count processes busy during the with-block."""
    processes = [subprocess.Popen([sys.executable, "-c", _NEVER_RESTS]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def measure(scan: Path, model: str, rounds: int) -> dict[str, float]:
    """Return median seconds and processor seconds of a segmentation in this process."""
    import SimpleITK as sitk

    from LightMedSegLib.core.torch_loading import let_waiting_threads_sleep

    let_waiting_threads_sleep()
    from LightMedSegLib.inference.engine import Engine

    image, engine = sitk.ReadImage(str(scan)), Engine(model, "cpu")
    engine.segment(image)
    seconds, processor = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        engine.segment(image)
        seconds.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return {"seconds": statistics.median(seconds), "processor_seconds": statistics.median(processor)}


def rows(
    scan: Path, model: str, rounds: int, busy: Sequence[int] = BUSY, waiting: Sequence[str] = WAITING
) -> list[dict[str, Any]]:
    """Return one row for each count of busy processes and each way of waiting."""
    table: list[dict[str, Any]] = []
    quiet: dict[str, float] = {}
    identifier = resolve_model(model).card.identifier
    arguments = [sys.executable, __file__, "--scan", str(scan), "--model", model, "--rounds", str(rounds), "--one"]
    for count in busy:
        for policy in waiting:
            environment = {**os.environ, "OMP_WAIT_POLICY": "ACTIVE", "KMP_BLOCKTIME": "200"}
            if policy == "passive":
                environment = {name: value for name, value in os.environ.items() if name not in _OF_THREADS}
            with busy_processes(count):
                done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=True)
            figures = {key: round(value, 2) for key, value in json.loads(done.stdout.splitlines()[-1]).items()}
            first = quiet.setdefault(policy, figures["seconds"])
            table.append(
                {
                    "model": identifier,
                    "busy": count,
                    "waiting": policy,
                    **figures,
                    "times_quiet": round(figures["seconds"] / first, 2),
                }
            )
            print(table[-1], flush=True)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, default=SAMPLE)
    parser.add_argument("--model", default="brain-structures-mr")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.scan, arguments.model, arguments.rounds)))
        return 0
    table = rows(arguments.scan, arguments.model, arguments.rounds)
    print(markdown(table))
    if arguments.output is not None:
        write_csv(arguments.output, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
