"""Seconds from Ctrl+C to the end of all processes of a folder run, at several moments of it.

    python Testing/Benchmarks/interrupt_seconds.py --model MODEL --scans FOLDER [--jobs 2] [--after 0.5 1 2 4 8 ...]

Every process of the command gets the interrupt, as from a terminal. A result that is left must be a whole file.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Testing"))

from process_group import members  # noqa: E402

MOMENTS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 16.0)


def measure(words: list[str], after: float) -> dict[str, object]:
    """Start the command, interrupt it after so many seconds, and wait for the end of the command and of the others."""
    process = subprocess.Popen(
        [sys.executable, "-m", "LightMedSegLib", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    time.sleep(after)
    began = time.perf_counter()
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate()[1]
    command = time.perf_counter() - began
    while members(process.pid):
        time.sleep(0.01)
    every = time.perf_counter() - began
    return {"after": after, "command": round(command, 2), "all": round(every, 2), "code": process.returncode,
            "lines": told.count("\n"), "told": told.strip()[-80:]}  # fmt: skip


def main() -> int:
    """Measure at every moment, each time with an empty folder of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--scans", type=Path, required=True)
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--after", type=float, nargs="+", default=MOMENTS)
    chosen = parser.parse_args()
    for after in chosen.after:
        with tempfile.TemporaryDirectory(prefix="lightmedseg-") as folder:
            words = ["segment", str(chosen.scans.resolve()), f"{folder}/results", "--model", chosen.model, "-q"]
            row = measure([*words, "--jobs", chosen.jobs, "--device", "cpu"], after)
            for path in Path(folder).glob("results/*.nii.gz"):
                sitk.ReadImage(str(path))
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
