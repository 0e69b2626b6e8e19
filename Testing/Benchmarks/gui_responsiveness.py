"""How long the user interface stands still: opening the module, Auto, and segmenting a small and a large scan.

The module runs in Testing/Runtime: Slicer's real scene, PySide6 in place of Slicer's own widgets. A timer that is due
every 10 ms notes when it comes late; the longest delay is the longest time for which no click was answered. The first
run of a process loads torch and the model, the second replaces the result of the first. Python's byte code exists, as
after an installation, and PySide6 has read the signatures of the panel's classes, which Slicer's widgets do not need.
Nothing is asserted: the numbers depend on the machine and on what else it does.

    python Testing/Benchmarks/gui_responsiveness.py [--scan sample head ct] [--busy 4] [--json result.json]

sample: the hippocampus; head: the whole brain sample, 32 structures; ct: a drawn CT of 512 x 512 x 300 voxels. Each
scan has a process of its own, so that each loads torch for the first time. --busy starts so many processes that do
nothing but compute beside it. What the runtime needs stands in Testing/Runtime/README.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing")]

_DUE_MILLISECONDS = 10

MODELS = {"sample": "hippocampus-t1-mr", "head": "brain-structures-mr", "ct": "headneck-oar-ct"}
"""The scans that are measured, and the model for each."""


class Delays:
    """A timer of the event loop, and the longest times (ms) by which it came later than it was due."""

    def __init__(self) -> None:
        import qt

        self._late: list[float] = []
        self._last = time.perf_counter()
        self._timer = qt.QTimer()
        self._timer.interval = _DUE_MILLISECONDS
        self._timer.connect("timeout()", self._tick)

    @contextmanager
    def measured(self) -> Iterator[list[float]]:
        """The delays during the block, longest first; complete after it."""
        self._late, self._last = [], time.perf_counter()
        self._timer.start()
        result: list[float] = []
        try:
            yield result
        finally:
            self._tick()
            self._timer.stop()
            result += sorted(self._late, reverse=True)

    def _tick(self) -> None:
        now = time.perf_counter()
        self._late.append(max(0.0, (now - self._last) * 1000 - _DUE_MILLISECONDS))
        self._last = now


def main() -> None:
    """Print one line per measurement; with --json write them to a file as well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", nargs="+", choices=tuple(MODELS), default=list(MODELS))
    parser.add_argument("--overlap", type=float, help="of the windows, instead of the model's own; 0 is quickest")
    parser.add_argument("--busy", type=int, default=0, help="processes that compute beside the measurement")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    write_byte_code()
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=compute, daemon=True) for _ in range(arguments.busy)]
    for process in busy:
        process.start()
    numbers: dict[str, float] = {}
    try:
        for scan in arguments.scan:
            with context.Pool(1) as pool:
                found = pool.apply(measure, (scan, arguments.overlap))
            for name, value in found.items():
                print(f"{scan + ': ' + name:60s} {value:9.1f}", flush=True)
                numbers[f"{scan}: {name}"] = value
    finally:
        for process in busy:
            process.terminate()
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


def compute() -> None:
    """Keep one processor busy until the process is ended."""
    while True:
        sum(range(10_000))


def write_byte_code() -> None:
    """Import what a run imports in another process, so that the measured ones need not compile it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    modules = "torch, LightMedSegLib.inference.engine, LightMedSegLib.network.cpu.choice"
    subprocess.run([sys.executable, "-c", f"import {modules}"], cwd=REPOSITORY, check=True)


def measure(scan: str, overlap: float | None) -> dict[str, float]:
    """Name and unit to number, for one of MODELS."""
    with tempfile.TemporaryDirectory() as scratch:
        # Only the shipped models, whoever runs this.
        os.environ["LIGHTMEDSEG_HOME"] = str(Path(scratch) / "models")
        return measured_runs(Path(scratch), scan, overlap)


def measured_runs(scratch: Path, scan: str, overlap: float | None) -> dict[str, float]:
    """As measure(), with an empty folder for the user's files."""
    from Runtime.bootstrap import start

    session = start(scratch / "home")
    session.reset()
    before = time.perf_counter()
    session.load_module(REPOSITORY / "LightMedSeg" / "LightMedSeg.py")
    loaded = time.perf_counter()
    panel = session.open_module("LightMedSeg")
    opened = time.perf_counter()
    numbers = {
        "import and register the module, ms": (loaded - before) * 1000,
        "open the module (setup and enter), ms": (opened - loaded) * 1000,
        "torch loaded by that (1: yes)": float("torch" in sys.modules),
    }
    choose(panel, scan, overlap)
    before = time.perf_counter()
    panel.ui.suggestModelButton.click()
    numbers["Auto, ms"] = (time.perf_counter() - before) * 1000
    panel.parameters.model = next(name for name in panel.models.names() if name.split("@")[0] == MODELS[scan])
    session.process_events(0.5)
    read_signatures()
    delays = Delays()
    for name in ("first run", "second run"):
        begin = time.perf_counter()
        with delays.measured() as late:
            panel.ui.segmentButton.click()
            session.wait_until(lambda: not panel.run.running, 3600, f"the end of the {name}")
        if panel.parameters.outputSegmentation is None:
            raise SystemExit(panel.ui.statusLabel.text)
        numbers[f"{name}, s"] = time.perf_counter() - begin
        numbers[f"{name}: longest block of the GUI thread, ms"] = late[0]
        numbers[f"{name}: blocks above 100 ms"] = float(sum(delay > 100 for delay in late))
        numbers[f"{name}: 99th percentile of the delays, ms"] = late[len(late) // 100]
    session.finish()
    return numbers


def read_signatures() -> None:
    """Let PySide6 read the signatures of the classes in use, which takes a tenth of a second at the first call."""
    from PySide6 import QtCore, QtGui, QtWidgets
    from shibokensupport.signature import get_signature

    used = {type(widget) for widget in QtWidgets.QApplication.allWidgets()}
    used |= {QtCore.QTimer, QtGui.QColor, QtWidgets.QTableWidgetItem}
    for kind in {base for one in used for base in one.__mro__ if base.__module__.startswith("PySide6.")}:
        get_signature(kind)


def choose(panel: Any, scan: str, overlap: float | None) -> None:
    """Load or draw one of MODELS and choose it."""
    import slicer

    from LightMedSegLib.io.sample_data import sample_path

    parameters = panel.parameters
    if scan == "ct":
        parameters.inputVolume = slicer.util.addVolumeFromArray(drawn_ct(), name="CT")
        parameters.inputVolume.SetSpacing(0.98, 0.98, 2.0)
    else:
        path = sample_path("hippocampus" if scan == "sample" else "head")
        parameters.inputVolume = slicer.util.loadVolume(str(path), {"name": "Scan"})
    if overlap is not None:
        parameters.ownOverlap, parameters.overlap = True, overlap


def drawn_ct() -> Any:
    """Shoulders, neck and head as elliptic cylinders of soft tissue, as int16 (z, y, x)."""
    import numpy as np

    array = np.full((300, 512, 512), -1000, dtype=np.int16)
    y, x = np.ogrid[-256:256, -256:256]
    for first, last, depth, width in ((0, 80, 100, 220), (80, 150, 65, 65), (150, 280, 100, 80)):
        array[first:last, (y / depth) ** 2 + (x / width) ** 2 < 1] = 40
    return array


if __name__ == "__main__":
    main()
