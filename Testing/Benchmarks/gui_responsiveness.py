"""How long the user interface stands still while the module is opened and while it segments the whole brain sample.

The module runs in Testing/Runtime: Slicer's real scene, PySide6 in place of Slicer's own widgets. A timer that is due
every 10 ms notes when it comes late; the longest delay is the longest time for which no click was answered. The first
run loads torch and the model, the second replaces the result of the first. Nothing is asserted: the numbers depend on
the machine and on what else it does.

    python Testing/Benchmarks/gui_responsiveness.py [--overlap 0] [--json result.json]

What the runtime needs stands in Testing/Runtime/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
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
    parser.add_argument("--overlap", type=float, help="of the windows, instead of the model's own; 0 is quickest")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        # Only the shipped models, whoever runs this.
        os.environ["LIGHTMEDSEG_HOME"] = str(Path(scratch) / "models")
        numbers = measure(Path(scratch), arguments.overlap)
    for name, value in numbers.items():
        print(f"{name:50s} {value:9.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


def measure(scratch: Path, overlap: float | None) -> dict[str, float]:
    """Name and unit to number."""
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
    choose_brain(panel, overlap)
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


def choose_brain(panel: Any, overlap: float | None) -> None:
    """Fill the panel for the whole brain sample and the shipped hippocampus model."""
    import slicer

    from LightMedSegLib.gui.samples import TRY_IT_MODEL
    from LightMedSegLib.sample_data import sample_path

    parameters = panel.parameters
    parameters.inputVolume = slicer.util.loadVolume(str(sample_path("brain")), {"name": "MNI152Brain"})
    parameters.model = next(name for name in panel.models.names() if name.split("@")[0] == TRY_IT_MODEL)
    if overlap is not None:
        parameters.ownOverlap, parameters.overlap = True, overlap


if __name__ == "__main__":
    main()
