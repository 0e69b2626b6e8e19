"""Hundreds of segmentations and fine-tunings in one process, as in a Slicer that stays open for days.

Through the module's runner and the bridge, on the test runtime: memory must not grow, no thread or file may stay open,
and the result must be the same each time.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from Reliability.surroundings import own_folder
from Reliability.tally import Tally, main

if TYPE_CHECKING:
    pass

ROW, COUNT = "soak", 500

SEGMENTATIONS_PER_TUNING = 10
MOST_GROWTH = 0.05
_WARM_UP, _MEASURED = 0.2, 0.1
"""Shares of the attempts: memory after the first is compared with that of the last."""

_FEWEST_FOR_GROWTH = 100


def check(count: int, seed: int) -> Tally:
    """count segmentations, and a tenth as many fine-tunings between them."""
    tally = Tally()
    with own_folder() as folder:
        _soak(folder, count, tally)
    return tally


def _soak(folder: Path, count: int, tally: Tally) -> None:
    import torch
    from Runtime.bootstrap import start

    torch.set_num_threads(1)
    session = start(folder / "slicer-home")
    session.reset()
    place = _Place(folder, session)
    memory: list[float] = []
    before: tuple[int, int, int] | None = None
    for number in range(count):
        tally.expect(place.segment(), "segmentation: the same labels as the first time")
        if number % SEGMENTATIONS_PER_TUNING == SEGMENTATIONS_PER_TUNING - 1:
            tally.expect(place.tune(), "fine-tuning: the same weights as the first time")
        gc.collect()
        memory.append(_resident_megabytes())
        if number == SEGMENTATIONS_PER_TUNING + count // 10:
            before = place.open_things()
    if before is not None:
        after = place.open_things()
        what = ("Python threads", "threads of the system", "open files")
        for name, first, last in zip(what, before, after, strict=True):
            tally.expect(last <= first, f"{name}: no more at the end ({first} and {last})")
    place.close()
    tally.expect(threading.active_count() <= place.threads_at_the_start, "Python threads: none left after closing")
    if count >= _FEWEST_FOR_GROWTH:
        first = int(count * _WARM_UP)
        last = int(count * (1 - _MEASURED))
        early = statistics.median(memory[first : first + int(count * _MEASURED)])
        late = statistics.median(memory[last:])
        growth = late / early - 1
        tally.expect(growth < MOST_GROWTH, f"memory: {early:.0f} MB, then {late:.0f} MB ({100 * growth:+.1f} %)")
        tally.outcomes[f"memory went from {early:.0f} to {late:.0f} MB ({100 * growth:+.1f} %)"] += 1
    session.finish()


class _Place:
    """A scene with a volume, the module's runner, a model, and a corrected case of it."""

    def __init__(self, folder: Path, session: Any) -> None:
        import slicer
        from finetuning_factory import installed_with_cases

        from LightMedSegLib.gui.segment.runner import Runner

        self.threads_at_the_start = threading.active_count()
        self.folder, self.session = folder, session
        _, _, self.model = installed_with_cases(folder)
        self.volume = slicer.util.addVolumeFromArray(_scan(), name="Scan")
        self.runner = Runner()
        self.labels: bytes | None = None
        self.weights: str | None = None
        self.turn = 0

    def segment(self) -> bool:
        """Whether the labels are those of the first time, and lie in one node."""
        import slicer

        from LightMedSegLib.inference.options import SegmentOptions
        from LightMedSegLib.mrml.jobs.job_state import JobState
        from LightMedSegLib.mrml.jobs.segment_job import segmentation_job
        from LightMedSegLib.mrml.segmentations.reading import read_labelmap

        job = segmentation_job(self.volume, self.model, options=SegmentOptions(device="cpu", threads=1))
        self.runner.start(job)
        self.session.wait_until(lambda: job.state.ended, 60, "the result")
        if job.state is not JobState.DONE or slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") != 1:
            return False
        labels = read_labelmap(job.outcome.node, self.volume).labels.tobytes()
        self.labels = self.labels or labels
        return labels == self.labels

    def tune(self) -> bool:
        """Whether the weights are those of the first time."""
        import shutil

        from finetuning_factory import quick_job

        from LightMedSegLib.finetuning.job.job import run_job
        from LightMedSegLib.finetuning.job.own_folders import CANDIDATE_FOLDER
        from LightMedSegLib.model.package import load_model

        self.turn += 1
        job = self.folder / f"job{self.turn}"
        run_job(quick_job(threads=1, install=False), job)
        weights = load_model(job / CANDIDATE_FOLDER).card.weights.sha256
        shutil.rmtree(job)
        self.weights = self.weights or weights
        return weights == self.weights

    def open_things(self) -> tuple[int, int, int]:
        """Python's threads, the system's threads and open files of this process."""
        tasks, files = (len(list(Path(f"/proc/self/{kind}").iterdir())) for kind in ("task", "fd"))
        return threading.active_count(), tasks, files

    def close(self) -> None:
        """What the panel does when Slicer ends."""
        self.runner.close()
        self.session.close_scene()


def _scan() -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 800, (24, 28, 32)).astype(np.int16)


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    sys.exit(main(ROW, check, COUNT))
